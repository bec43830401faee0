"""Finds the fastest token plan within a limit of accuracy drop, for one backend on one target.

block_latency    what a block costs with how many tokens, on the target: a staircase
divergence       what single sites do to the model's answers, in PyTorch
site_divergence  the same added up for a plan
search           plans on the steps of the staircase: those that no other beats, and of these the fastest that holds
find             all of it, in stages of a run
"""
