"""The captured graph: how it is made, looked at, folded and exported again."""
