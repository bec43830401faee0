"""The captured graph: capture, analysis, constant folding, changed parameters, and export after a change."""
