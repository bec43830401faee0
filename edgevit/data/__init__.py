"""Images: where they come from, which are chosen, and what is done to them before a model sees them."""
