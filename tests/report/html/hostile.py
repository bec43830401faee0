"""Names from outside that try to be more than text."""

from __future__ import annotations

from dataclasses import replace

from edgevit.results.artifact import PassRecord
from edgevit.results.run import Run
from tests.factories import make_candidate, make_prediction, make_run

HOSTILE = (
    "</script><script>window.owned = 1</script><img src=x onerror='window.owned = 1'>\"'`{{ 7 * 7 }}"
    " $$\\frac{1}{2}$$ [a](javascript:alert(1)) ![b](http://a.b/c.png) \x1b[31m\u202e @{id} \n# heading | cell"
)


def hostile_run() -> Run:
    """A run whose every name is hostile."""
    name = HOSTILE
    first = make_candidate()
    assert first.artifact is not None
    made = replace(
        first, id=name, backend=name, scheme="static_wi8_ai8", parent=f"{name}p", reasons=(name,),
        passes=(PassRecord(name, name, 2, 1), PassRecord("reduce_tokens", name, 2, 1)),
        artifact=replace(first.artifact, path=name, numerics=name, float_layers=(name,)),
        predictions=(make_prediction(10, 20, device=name, basis=name),),
    )  # fmt: skip
    failed = replace(make_candidate("litert/fp32"), id=f"{name}2", status="failed", reasons=(name,), artifact=None)
    return make_run(
        made, failed, selected=name, selected_for={name: name}, tied={name: (name,)}, notes=(name,),
        spec={"model": {"name": name}, "data": {"evaluation": name}, "budget": {"max_drop": 1.0}}, tool_versions={name: name},
        spec_sha256=name, created_at=name, edgevit_version=name,
    )  # fmt: skip
