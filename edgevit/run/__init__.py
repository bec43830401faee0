"""A run folder: its files and stages, the child processes that write them, and who is told of progress."""
