"""Captures a module as the one static float32 graph that every exporter starts from.

Re-parameterizable blocks are merged and batch normalization is folded into the convolution or linear layer beside
it, so that export and calibration see the network as it will run.
"""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.export import ExportedProgram

from edgevit.errors import UsageError, first_line
from edgevit.model.program.archive import check_archive
from edgevit.model.program.fold import fold_batch_norm, fold_constant_resampling
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.model.user_code import user_code
from edgevit.run.files import write_atomically

FOLDING_TOLERANCE = 1e-4
"""Largest relative difference that merging and folding may make (it is rounding, about 1e-6)."""


def capture(module: nn.Module, input_size: tuple[int, int]) -> ExportedProgram:
    """Captures a classifier with a static shape, batch 1.

    Args:
        module: float32 [n, 3, h, w] to logits [n, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.

    Returns:
        Program with one input, ``input`` float32 [1, 3, h, w], and one output, logits float32 [1, classes].

    Raises:
        UsageError: torch.export cannot capture the module, or the captured program differs from it by more than rounding.
    """
    example = _image_like(input_size)
    with user_code("running the model"), torch.inference_mode():
        expected = module(example)
    with user_code("merging the blocks of the model"):
        merged = _reparameterize(copy.deepcopy(module))
    with user_code("capturing the model"):
        try:
            program = torch.export.export(NamedInput(merged), (example,))
        except (RuntimeError, ValueError, TypeError, torch._dynamo.exc.TorchDynamoException) as error:
            raise UsageError(
                f"torch.export cannot capture the model: {first_line(error)}",
                "data-dependent control flow and shapes cannot be exported",
            ) from error
    if not _is_static(program):
        raise UsageError(
            "a shape inside the model depends on the image", "data-dependent control flow and shapes cannot be exported"
        )
    program.graph.eliminate_dead_code()  # values that no output depends on
    folded = program.module()
    if fold_batch_norm(folded) + fold_constant_resampling(folded):
        program = torch.export.export(folded, (example,))
    actual = cast(nn.Module, program.module())(example).detach()
    difference = float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= FOLDING_TOLERANCE:
        raise UsageError(f"the captured model differs from the module by {difference:.1e} (relative)")
    return program


def _image_like(size: tuple[int, int]) -> torch.Tensor:
    """Returns smooth colours with a little noise, float32 [1, 3, h, w], mean about 0 and standard deviation about 1.

    White noise drives activations far out of the range that the norms' statistics are for, where float32 rounding alone
    (folded or not) changes the logits of a LeViT by 3 %.
    """
    generator = torch.Generator().manual_seed(0)
    colours = nn.functional.interpolate(torch.randn(1, 3, 6, 6, generator=generator), size=size, mode="bicubic")
    return colours + 0.1 * torch.randn(colours.shape, generator=generator)


class NamedInput(nn.Module):
    """Names the input of the exported graph: "input"."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Returns what the module returns for images float32 [n, 3, h, w]."""
        return cast(torch.Tensor, self.module(input))


def _is_static(program: ExportedProgram) -> bool:
    """Whether every tensor has a shape of plain numbers."""
    values = (node.meta.get("val") for node in program.graph.nodes)
    return all(isinstance(length, int) for value in values if isinstance(value, torch.Tensor) for length in value.shape)


def save_program(program: ExportedProgram, path: Path) -> None:
    """Writes a program so that another process can load it."""
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
        raise UsageError("the program was saved without example inputs")
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
        merge = next((getattr(child, method) for method in _MERGES if hasattr(child, method)), None)
        merged = merge() if merge is not None and _takes_nothing(merge) else None
        if isinstance(merged, nn.Module):
            setattr(module, name, merged)
        _reparameterize(getattr(module, name))
    return module.eval()


_MERGES = ("fuse", "reparameterize", "switch_to_deploy")
"""Methods that merge the branches of a block, in the order in which they are looked for."""


def _takes_nothing(method: Callable[..., object]) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
