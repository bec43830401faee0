"""Captures a module as the one static float32 graph that every exporter starts from.

Re-parameterizable blocks are merged and batch normalization is folded into the convolution or linear layer beside
it, so that export and calibration see the network as it will run.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import GraphModule

from edgevit.errors import UsageError
from edgevit.model.program.archive import check_archive
from edgevit.model.program.fold import fold_batch_norm, fold_constant_resampling
from edgevit.model.program.outputs import ModelOutput, largest_difference
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.model.user_code import user_code
from edgevit.run.files import write_atomically

FOLDING_TOLERANCE = 1e-4
"""Largest relative difference that merging and folding may make (it is rounding, about 1e-6)."""

_CAPTURABLE = "what the model does may not depend on the values in an image: replace such an `if`, `.item()` or mask by torch.where"


def capture(module: nn.Module, input_size: tuple[int, int], channels: int = 3) -> ExportedProgram:
    """Captures a model with a static shape, batch 1.

    Args:
        module: float32 [n, channels, h, w] to logits [n, classes], or to each output [n, ...] by name, in eval mode; left
            untouched.
        input_size: Height and width in pixels.
        channels: Of the images.

    Returns:
        Program with one input, ``input`` float32 [1, channels, h, w], and one output, logits float32 [1, classes]; or named
        ones, see :mod:`edgevit.model.program.outputs`.

    Raises:
        UsageError: torch.export cannot capture the module, or the captured program differs from it by more than rounding.
    """
    example = _image_like(input_size, channels)
    with user_code("running the model"), torch.inference_mode():
        expected = module(example)
    with user_code("merging the blocks of the model"):
        merged = _reparameterize(copy.deepcopy(module))
    with user_code("torch.export cannot capture the model", _CAPTURABLE), _without_logs(), without_fast_paths():
        program = torch.export.export(NamedInput(merged), (example,))
    if not _is_static(program):
        raise UsageError(f"a shape inside the model depends on the image{_place_of_open_shape(program)}", _CAPTURABLE)
    program.graph.eliminate_dead_code()  # values that no output depends on
    folded = program.module()
    if fold_batch_norm(folded) + fold_constant_resampling(folded):
        program = torch.export.export(folded, (example,))
    with torch.no_grad():
        difference = largest_difference(cast(nn.Module, program.module())(example), expected)
    if not difference <= FOLDING_TOLERANCE:
        raise _differs(module, example, expected, difference)
    return program


def _differs(module: nn.Module, example: torch.Tensor, expected: ModelOutput, difference: float) -> UsageError:
    """The error for a captured program that differs from its module, with the cause as far as it can be found."""
    what = f"the captured model differs from the module by {difference:.1e} (relative)"
    with torch.inference_mode():
        again = largest_difference(module(example), expected)
    if not again <= FOLDING_TOLERANCE:
        return UsageError(
            f"{what}; run twice on one image, the module itself differs by {again:.1e}",
            "take randomness, and whatever one image leaves for the next, out of its forward in eval mode",
        )
    rounding = _rounding_of(module, example, expected)
    if rounding is not None and not rounding <= FOLDING_TOLERANCE / 10:
        return UsageError(
            f"{what}; rounding to float32 alone changes its logits by {rounding:.1e}, against the module in float64",
            "it amplifies rounding, so no conversion of it can be verified: give trained weights, or check their scale",
        )
    return UsageError(
        what, "does its forward depend on more than the image: a counter, a cache, the time? Take that out"
    )


def _rounding_of(module: nn.Module, example: torch.Tensor, expected: ModelOutput) -> float | None:
    """Relative difference that float32 makes in the logits; None for a module that does not run in float64."""
    with contextlib.suppress(RuntimeError, TypeError, ValueError), torch.inference_mode():
        return largest_difference(expected, copy.deepcopy(module).double()(example.double()))
    return None


@contextlib.contextmanager
def without_fast_paths() -> Iterator[None]:
    """Keeps torch's transformer layers from one fused op for a whole layer, which no exporter knows."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextlib.contextmanager
def _without_logs() -> Iterator[None]:
    """Keeps torch from printing the whole graph, hundreds of lines, before it raises an error that says the same.

    Only its own loggers are silenced: the application that this runs in may log meanwhile.
    """
    of_torch = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "torch"]
    loud = [logger for logger in map(logging.getLogger, of_torch) if not logger.disabled]
    for logger in loud:
        logger.disabled = True
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger in loud:
            logger.disabled = False


def _place_of_open_shape(program: ExportedProgram) -> str:
    """The user's own line that makes the first tensor whose shape is open, as far as it is known."""
    node = next((node for node in program.graph.nodes if _is_open(node.meta.get("val"))), None)
    trace = (node.meta.get("stack_trace") or "") if node else ""
    lines = [line.strip() for line in trace.splitlines() if line.strip().startswith("File ")]
    return f" ({lines[-1].rpartition(', in ')[0] or lines[-1]})" if lines else ""


def _image_like(size: tuple[int, int], channels: int) -> torch.Tensor:
    """Returns smooth colours with a little noise, float32 [1, channels, h, w], mean about 0 and standard deviation about 1.

    White noise drives activations far out of the range that the norms' statistics are for, where float32 rounding alone
    (folded or not) changes the logits of a LeViT by 3 %.
    """
    generator = torch.Generator().manual_seed(0)
    colours = nn.functional.interpolate(torch.randn(1, channels, 6, 6, generator=generator), size=size, mode="bicubic")
    return colours + 0.1 * torch.randn(colours.shape, generator=generator)


class NamedInput(nn.Module):
    """Names the input of the exported graph: "input"."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: torch.Tensor) -> ModelOutput:
        """Returns what the module returns for images float32 [n, 3, h, w]."""
        return cast(ModelOutput, self.module(input))


def _is_static(program: ExportedProgram) -> bool:
    """Whether every tensor has a shape of plain numbers."""
    return not any(_is_open(node.meta.get("val")) for node in program.graph.nodes)


def _is_open(value: object) -> bool:
    return isinstance(value, torch.Tensor) and not all(isinstance(length, int) for length in value.shape)


def save_program(program: ExportedProgram, path: Path) -> None:
    """Writes a program so that another process can load it; the same program is the same file.

    Where each node came from is left out: it is told by the addresses of graphs in this process.
    """
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            node.meta.pop("from_node", None)
    buffer = io.BytesIO()  # torch's own writer raises no OSError on a full disk
    torch.export.save(program, buffer)
    write_atomically(path, buffer.getvalue())


def load_program(path: Path) -> ExportedProgram:
    """Loads a program that :func:`save_program` wrote.

    Raises:
        UsageError: the file holds anything that loading or running it might carry out, see
            :func:`edgevit.model.program.archive.check_archive`.
    """
    check_archive(path)
    ensure_torchvision_schemas()
    return torch.export.load(path)


def count_macs(program: ExportedProgram) -> int:
    """Counts multiply-accumulate operations of one inference by running it under torch's FLOP counter.

    Raises:
        UsageError: the program was saved without example inputs.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    module = cast(nn.Module, program.module())
    example = program.example_inputs
    if example is None:
        raise UsageError("the program was saved without example inputs", "capture the model again")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module(*example[0])
    return int(counter.get_total_flops()) // 2


def _reparameterize(module: nn.Module) -> nn.Module:
    """Merges multi-branch blocks into their inference form, in place, by the methods that such blocks have for it.

    Those of timm's ``fuse()`` return another module, those of others change the block; one that wants arguments, or
    returns anything else, is no such method.
    """
    for name, child in tuple(module.named_children()):
        merge = _merge_of(child)
        merged = merge() if merge is not None else None
        if isinstance(merged, nn.Module):
            setattr(module, name, merged)
        _reparameterize(getattr(module, name))
    return module.eval()


def merges_blocks(module: nn.Module) -> bool:
    """Returns whether capturing something that holds a module would merge branches of a block in it into one."""
    return any(_merge_of(child) is not None for child in module.modules())


def _merge_of(module: nn.Module) -> Callable[[], object] | None:
    merge = next((getattr(module, method) for method in _MERGES if hasattr(module, method)), None)
    return merge if merge is not None and _takes_nothing(merge) else None


_MERGES = ("fuse", "reparameterize", "switch_to_deploy")
"""Methods that merge the branches of a block, in the order in which they are looked for."""


def _takes_nothing(method: Callable[..., object]) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
