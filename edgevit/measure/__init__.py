"""Measurements on this machine: latency, resident memory, and the facts that they depend on."""
