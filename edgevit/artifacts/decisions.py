"""What a row of outputs decides: the class of the largest logit, or, of a single logit, its sign."""

from __future__ import annotations

import numpy as np


def class_logits(outputs: np.ndarray) -> np.ndarray:
    """Returns logits of which the largest is the decision.

    A single logit x stands for two classes, as a sigmoid reads it: the softmax of (0, x) is the sigmoid of x, so that class 1
    is decided where x is above 0.

    Args:
        outputs: float [n, classes].

    Returns:
        float [n, classes], of a single logit [n, 2].
    """
    if outputs.shape[1] != 1:
        return outputs
    return np.concatenate([np.zeros_like(outputs), outputs], axis=1)


def decided(outputs: np.ndarray) -> np.ndarray:
    """Returns the class that each row decides, int64 [n]; of equal logits the lower.

    Args:
        outputs: float [n, classes], see :func:`class_logits`.
    """
    return np.asarray(class_logits(outputs).argmax(axis=1))
