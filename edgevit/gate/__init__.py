"""Whether a run keeps a budget."""
