"""Measures latency and memory of artifacts on this host."""
