"""The gate: tests whether a run is within a budget."""
