"""The main path: from a spec to the chosen candidate."""
