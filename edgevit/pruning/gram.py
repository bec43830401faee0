"""First and second moments of what layers read, over images: all that selection and refitting need of the data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.model.over_batches import over_batches


@dataclass(frozen=True)
class Moments:
    """Of the inputs of a layer, over all places of all images."""

    mean: np.ndarray
    """float64 [inputs]."""
    covariance: np.ndarray
    """float64 [inputs, inputs]: the Gram matrix of the inputs without their mean, by the number of places."""


def input_moments(
    module: nn.Module,
    names: Sequence[str],
    batches: Iterable[Tensor],
    on_batch: Callable[[int], None] = lambda done: None,
) -> dict[str, Moments]:
    """Returns the moments of what some layers read.

    Args:
        module: In eval mode.
        names: Of its linear layers and convolutions.
        batches: Images, float32 [n, channels, h, w].
        on_batch: Progress callback, called after each batch with the number of batches done.

    Returns:
        By name.

    Raises:
        ValueError: there are no images.
    """
    sums = {name: InputSums() for name in names}
    handles = [module.get_submodule(name).register_forward_pre_hook(sums[name].add) for name in names]
    try:
        for done, _ in enumerate(over_batches(module, batches), start=1):
            on_batch(done)
    finally:
        for handle in handles:
            handle.remove()
    return {name: of.moments() for name, of in sums.items()}


class InputSums:
    """Sums over places of what a layer reads, in float64: float32 would lose what nearly dependent units differ in."""

    def __init__(self) -> None:
        self.places = 0
        self.sum: Tensor = torch.zeros(())
        self.products: Tensor = torch.zeros(())
        self._lock = threading.Lock()

    def add(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Adds what a layer reads; a hook, called before it, from several threads at a time.

        Args:
            _: The layer.
            inputs: Of it, the first float [n, channels, h, w] or [..., channels].
        """
        read: Tensor = inputs[0]
        rows = (read.flatten(2).transpose(1, 2) if read.dim() == 4 else read).reshape(-1, _features(read)).double()
        summed, products = rows.sum(dim=0), rows.T @ rows
        with self._lock:  # batches are run side by side
            self.places += len(rows)
            self.sum = self.sum + summed
            self.products = self.products + products

    def moments(self) -> Moments:
        """Returns the moments of all that was added.

        Raises:
            ValueError: that is nothing.
        """
        if not self.places:
            raise ValueError("there are no images")
        mean = (self.sum / self.places).numpy()
        return Moments(mean, self.products.numpy() / self.places - np.outer(mean, mean))


def _features(read: Tensor) -> int:
    """Inputs of a convolution that reads [n, channels, h, w], or of a linear layer that reads [..., channels]."""
    return int(read.shape[1] if read.dim() == 4 else read.shape[-1])
