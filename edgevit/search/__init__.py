"""Searches the space of candidates of a spec for a front of accuracy, latency and size, of which few are really made."""
