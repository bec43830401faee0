"""Finds the fastest token plan within a limit of accuracy drop, for one backend on one target.

vit_parts        parts of a vision transformer that take tokens instead of images
block_programs   captures a block for several numbers of tokens
block_latency    what these blocks cost on the target
staircase        the same by number of tokens, and the cost of a plan
divergence       what single sites do to the model's predictions, in PyTorch
site_divergence  the same added up for a plan
search           plans on the steps of the staircase: those that no other beats, and of these the fastest that holds
find             all of it, in stages of a run
"""
