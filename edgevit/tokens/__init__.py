"""Fewer tokens: pruning and merging (``maths``, ``reduce``), smaller inputs (``resize``), and what attention looks at."""
