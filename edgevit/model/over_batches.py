"""Runs a function of PyTorch over batches, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
Answer = TypeVar("Answer")


def over_batches(function: Callable[[Batch], Answer], batches: Iterable[Batch]) -> Generator[Answer, None, None]:
    """Yields what a function makes of each batch, in their order, without gradients.

    Whoever stops asking leaves the rest undone.

    Each batch has one thread: PyTorch's own threads wait for each other in every op, which on busy cores takes longer
    than one of them alone.

    Args:
        function: Called with each batch, in a thread.
        batches: What it is called with.
    """

    def run(batch: Batch) -> Answer:
        with torch.inference_mode():  # holds for the thread that enters it
            return function(batch)

    with ThreadPoolExecutor(os.cpu_count() or 1, initializer=lambda: torch.set_num_threads(1)) as pool:
        yield from pool.map(run, batches)
