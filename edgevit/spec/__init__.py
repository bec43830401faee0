"""What is asked for: the spec of a run, schemes, recipes and token plans, read from TOML; values only."""
