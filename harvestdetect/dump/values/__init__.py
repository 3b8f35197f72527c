"""What the values of a record mean: messages of a prompt, times, ids, and values inside of values."""
