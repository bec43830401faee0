"""Devices: hardware facts (``profile``), which ops they run (``op_support``), and what an artifact would cost there.

``cost`` predicts latency from data sheets, ``memory`` computes peak memory from tensor lifetimes; both are pure.
"""
