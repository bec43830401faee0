"""What edgevit found, as frozen values with units in their names; ``run.json`` holds them."""
