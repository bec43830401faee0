"""Finds the fastest token plan within a limit of accuracy drop, for one backend on one target.

vit_parts        parts of a vision transformer that take tokens instead of images
parts            the same of any model whose tokens can leave
block_programs   captures a block for a number of tokens
block_latency    exports blocks, and measures or predicts what they cost on the target
block_bench      the same for the blocks that a search asks for, each made once in a run
sampling         which numbers of tokens it asks for, and an estimate of all others
staircase        latency by number of tokens, and the cost of a plan
divergence       what single sites do to the model's predictions, in PyTorch
site_divergence  the same added up for a plan
trials           what plans lose, in PyTorch
early_answer     how many images tell it
tried_plans      what a run knows of it so far
drop_model       how likely a plan is to hold, by what others lost
sizes            smaller images, which are a search of their own where no token can leave
tuned_search     plans that lose too much untuned, tuned for a short time where fine-tuning follows
effort           how much is looked at, and for how long
search           plans on the steps of the staircase, and which of them are tried until a fast one holds
find             all of it, in stages of a run
"""
