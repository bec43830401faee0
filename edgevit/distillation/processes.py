"""The processes that train one model together: each has a part of every batch, and the mean of all gradients.

One process needs nothing. Several are started by torch's own launcher, or by ``torchrun`` or ``accelerate launch``, and
Hugging Face's accelerate, which the extra ``train`` installs, lets them exchange gradients.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor, nn

from edgevit.errors import EdgevitError, UsageError
from edgevit.run.child_process import end_with, relay_progress, report_progress

Argument = TypeVar("Argument")
_COUNT, _RANK = "WORLD_SIZE", "RANK"
"""Variables by which launchers tell a process how many there are, and which it is."""


@dataclass(frozen=True)
class Group:
    """The processes that train together, as one of them sees it."""

    device: str
    """Of torch: that of this process."""
    rank: int = 0
    """Of this process, 0 .. size - 1; the first alone writes files."""
    size: int = 1
    accelerator: Any = None
    """accelerate's; None for one process."""

    @property
    def kind(self) -> str:
        """Kind of the device: "cuda" for any GPU of that."""
        return self.device.partition(":")[0]

    def share(self, value: Any) -> Any:
        """Returns what the first process has, in each of them."""
        if self.accelerator is None:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def wrap(self, module: nn.Module) -> nn.Module:
        """Returns a module that computes the same, and whose gradients are the mean of all processes."""
        return module if self.accelerator is None else self.accelerator.prepare_model(module)

    def mean(self, value: Tensor) -> float:
        """Returns the mean of a number, of shape [], over all processes."""
        return float(value) if self.accelerator is None else float(self.sum(value)) / self.size

    def sum(self, values: Tensor) -> Tensor:
        """Returns the sums of values, of shape [n], over all processes."""
        if self.accelerator is None:
            return values
        found: Tensor = self.accelerator.reduce(values.to(self.device), reduction="sum")
        return found

    def wait(self) -> None:
        """Waits until all processes have come here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()


def launched() -> tuple[int, int]:
    """Returns the rank of this process and the number of processes, where a launcher such as ``torchrun`` started several; else 0, 1."""
    return int(os.environ.get(_RANK, 0)), int(os.environ.get(_COUNT, 1))


def processes_here() -> int:
    """Returns how many of the processes that train together are on this machine, and share its processors."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def join_group(device: str) -> Group:
    """Joins the other processes that a launcher started, if there are any.

    Args:
        device: Kind of the devices: "cpu", "cuda" or "mps".

    Raises:
        UsageError: there are several, and accelerate is not installed.
    """
    if launched()[1] == 1:
        return Group(device)
    check_accelerate()
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # a distillation head has no gradients where labels alone are learned
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(cpu=device == "cpu", kwargs_handlers=[unused])
    return Group(str(accelerator.device), accelerator.process_index, accelerator.num_processes, accelerator)


def check_accelerate() -> None:
    """Refuses several processes where accelerate is not installed.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("accelerate") is None:
        raise UsageError("several processes need accelerate", "pip install 'edgevit[train]'")


def run_in_processes(function: Callable[[Argument], Any], argument: Argument, processes: int) -> Any:
    """Calls a function in several new processes of this machine, and returns what the first of them returns.

    Args:
        function: At module level; calls :func:`join_group`.
        argument: Can be pickled.
        processes: At least 2.

    Raises:
        UsageError: accelerate is not installed.
        EdgevitError: one of them raised it.
        torch.distributed.elastic.multiprocessing.errors.ChildFailedError: one of them failed otherwise.
    """
    check_accelerate()
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    queue, failures = multiprocessing.get_context("spawn").SimpleQueue(), list[EdgevitError]()
    reader = threading.Thread(target=_receive, args=(queue, failures), daemon=True)
    reader.start()
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
    )
    try:
        return elastic_launch(config, _call)(function, argument, queue, os.getpid())[0]
    except ChildFailedError as error:
        queue.put(None)
        reader.join()
        if failures:  # the others fail because the first one does not answer
            raise failures[0] from error
        raise
    finally:
        queue.put(None)
        reader.join()


def _call(function: Callable[[Any], Any], argument: Any, queue: Any, parent: int) -> Any:
    end_with(parent)
    if launched()[0] == 0:
        relay_progress(lambda *progress: queue.put(progress))
    try:
        return function(argument)
    except EdgevitError as error:
        queue.put(error)
        raise


def _receive(queue: Any, failures: list[EdgevitError]) -> None:
    """Passes on what the processes report, and keeps why they failed."""
    while (told := queue.get()) is not None:
        if isinstance(told, EdgevitError):
            failures.append(told)
        else:
            report_progress(*told)
