"""A content-addressed store: files by their sha256, and records of tasks by their key, in a folder or behind fsspec."""
