"""Passes: model in, model out, each in a file of its own; the caller's model is never touched.

``distill`` trains a student on a teacher's soft labels; ``reduce_tokens`` makes a plain vision transformer drop
tokens on the way (its maths is in ``tokens``).
"""
