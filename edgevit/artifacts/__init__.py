"""Exported files: made, verified against PyTorch, and evaluated on images."""
