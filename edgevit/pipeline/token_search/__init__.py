"""Finds the fastest token plan within a limit of lost points, for one backend on one target.

block_latency   what a block costs with how many tokens, on the target: a staircase
site_divergence what single sites do to the model's answers, in PyTorch
search          plans on the steps of the staircase: those that no other beats, and of these the fastest that holds
find            all of it, in stages of a run
"""
