"""What any room may use: arrays, files, texts, escaping, processes, memory."""
