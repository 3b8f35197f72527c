"""From clusters to campaigns: templates and accounts that belong together."""
