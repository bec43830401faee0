"""Results as frozen values with units in their names: what ``run.json`` and the other JSON documents hold."""
