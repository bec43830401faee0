"""The names that a captured program has for its outputs, for artifacts to have them too."""

from __future__ import annotations

from torch.export import ExportedProgram
from torch.utils._pytree import tree_unflatten

from edgevit.results.output import LOGITS


def output_names(program: ExportedProgram) -> tuple[str, ...]:
    """Returns the names of the outputs of a program, in their order: the keys of a dict, or "logits" for a tensor."""
    spec = program.call_spec.out_spec
    assert spec is not None
    named = tree_unflatten(list(range(spec.num_leaves)), spec)
    return tuple(named) if isinstance(named, dict) else (LOGITS,)
