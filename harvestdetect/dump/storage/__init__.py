"""Where the bytes of a dump come from: files, folders, archives, object stores and databases, and their compression."""
