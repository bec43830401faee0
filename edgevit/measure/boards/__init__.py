"""Boards and phones that are measured from this machine."""
