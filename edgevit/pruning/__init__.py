"""Structured pruning: whole hidden units, attention heads and channels leave, and what reads them is refitted."""
