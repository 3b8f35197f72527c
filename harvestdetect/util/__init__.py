"""What any package may use: arrays, files, texts, escaping, processes, memory."""
