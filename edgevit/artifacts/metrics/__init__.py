"""Metrics: how well a model's outputs fit labels, or the outputs of the original float model."""
