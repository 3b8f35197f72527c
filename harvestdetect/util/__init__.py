"""What any part may use: arrays, files, texts, escaping, processes."""
