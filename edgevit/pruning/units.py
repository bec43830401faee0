"""What can leave a model as a whole: hidden units of an MLP, attention heads, expanded channels of an inverted residual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from torch import Tensor, nn

from edgevit.errors import UsageError
from edgevit.model.over_batches import over_batches
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

Kind = Literal["mlp", "heads", "channels"]
KINDS: Final[tuple[Kind, ...]] = ("mlp", "heads", "channels")
_CALLED: Final = {
    "mlp": "MLP of two linear layers (timm's Mlp)",
    "heads": "plain attention (timm's Attention)",
    "channels": "inverted residual without squeeze-and-excitation (timm's InvertedResidual)",
}


@dataclass(frozen=True)
class Group:
    """The units of one part of a model."""

    name: str
    """Of the part, as ``named_modules`` has it: "blocks.0.mlp"."""
    kind: Kind
    reader: str
    """Name of the linear layer or pointwise convolution that reads the units."""
    units: int
    width: int = 1
    """Inputs of the reader that each unit is, one after another: more than one for a head."""

    def inputs(self, units: Sequence[int]) -> list[int]:
        """Returns the inputs of the reader that are some units, in their order."""
        return [unit * self.width + place for unit in units for place in range(self.width)]


def find_groups(module: nn.Module, kind: Kind) -> tuple[Group, ...]:
    """Returns every part of a model whose units of a kind can leave, in the order of its modules.

    Args:
        module: In eval mode. What reads the units has to see nothing else, and nothing may mix them before: parts with a norm, a gate or
            squeeze-and-excitation between are left out.
        kind: Of the units.
    """
    return tuple(group for name, part in module.named_modules() if (group := _group(name, part, kind)))


def require_groups(module: nn.Module, kind: Kind) -> tuple[Group, ...]:
    """Returns what :func:`find_groups` does.

    Raises:
        UsageError: there is none.
    """
    groups = find_groups(module, kind)
    if not groups:
        others = [f"{other}=…" for other in KINDS if other != kind and find_groups(module, other)]
        raise UsageError(
            f"--prune {kind}: {type(module).__name__} has no {_CALLED[kind]}",
            f"what can be pruned here: {', '.join(others)}" if others else "leave out --prune; a smaller image is --tokens"
            " resolution:N",
        )  # fmt: skip
    return groups


def _group(name: str, part: Any, kind: Kind) -> Group | None:
    ensure_torchvision_schemas()
    from timm.layers.mlp import Mlp
    from timm.models._efficientnet_blocks import InvertedResidual
    from timm.models.vision_transformer import Attention

    if kind == "mlp" and type(part) is Mlp:
        plain = isinstance(part.fc1, nn.Linear) and isinstance(part.fc2, nn.Linear) and _is_identity(part.norm)
        return Group(name, kind, f"{name}.fc2", part.fc2.in_features) if plain else None
    if kind == "heads" and type(part) is Attention:
        plain = part.gate is None and _is_identity(part.norm)
        return Group(name, kind, f"{name}.proj", part.num_heads, part.head_dim) if plain else None
    if kind == "channels" and type(part) is InvertedResidual:
        channels = part.conv_dw.in_channels
        plain = (
            all(map(_is_identity, (part.se, part.aa)))
            and part.conv_s2d is None
            and part.conv_pw.kernel_size == part.conv_pwl.kernel_size == (1, 1)
            and (part.conv_pw.groups, part.conv_dw.groups, part.conv_pwl.groups) == (1, channels, 1)
            and part.conv_dw.out_channels == channels
        )
        return Group(name, kind, f"{name}.conv_pwl", channels) if plain else None
    return None


def _is_identity(part: nn.Module) -> bool:
    return isinstance(part, nn.Identity)


def unit_macs(module: nn.Module, groups: Iterable[Group], image: Tensor) -> dict[str, float]:
    """Returns the MACs that each unit of a group costs for one image, by the name of the group.

    Args:
        module: Is run once.
        groups: Of it.
        image: float32 [1, channels, h, w].
    """
    groups = tuple(groups)
    watched = {name for group in groups for name in _layers(group)}
    places: dict[str, int] = {}

    def count(name: str) -> Any:
        def hook(layer: nn.Module, _: Any, output: Tensor) -> None:
            features = layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features
            places[name] = output[0].numel() // int(features)  # type: ignore[arg-type]

        return hook

    handles = [part.register_forward_hook(count(name)) for name, part in module.named_modules() if name in watched]
    try:
        list(over_batches(module, (image,)))  # in one thread, which other work disturbs less
    finally:
        for handle in handles:
            handle.remove()
    return {group.name: sum(_costs(module, group, places)) for group in groups}


def _layers(group: Group) -> tuple[str, ...]:
    by_kind = {"mlp": ("fc1", "fc2"), "heads": ("qkv", "proj"), "channels": ("conv_pw", "conv_dw", "conv_pwl")}
    return tuple(f"{group.name}.{name}" for name in by_kind[group.kind])


def _costs(module: nn.Module, group: Group, places: dict[str, int]) -> Iterator[float]:
    """MACs of a unit in each layer; of a head also in the two products of attention."""
    for name in _layers(group):
        weight = module.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        yield places[name] * weight.numel() / group.units
    if group.kind == "heads":
        yield 2 * places[group.reader] ** 2 * group.width
