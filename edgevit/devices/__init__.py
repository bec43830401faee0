"""Devices: hardware facts (``device``), supported ops (``op_support``), and predictions for an artifact there.

``cost`` predicts latency from data sheets, ``peak_memory`` computes peak memory from tensor lifetimes; both are pure
functions. ``predict`` runs them in a child process.
"""
