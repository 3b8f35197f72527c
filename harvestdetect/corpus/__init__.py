"""From prompts to unique segments and who sent them."""
