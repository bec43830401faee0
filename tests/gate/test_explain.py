"""What a limit asks for is told in words."""

from __future__ import annotations

from edgevit.gate.budget import Budget
from edgevit.gate.explain import explain_budget
from edgevit.gate.judge import verdicts
from tests.factories import make_run


def test_every_limit_that_is_on_is_told() -> None:
    limits = Budget.model_validate(
        {
            "size_bytes": "8 MB",
            "macs": {"max": 1, "level": "off"},
            "top1": {"min": "98 %", "max_decrease": "1 pt", "by": "value"},
            "devices": {
                "host": {
                    "cpu": "AMD*",
                    "latency_p50_ms": {"max_increase": "5 %", "level": "warn", "source": "measured"},
                }
            },
            "artifacts": {"litert/*": {"size_bytes": 1}},
        }
    )
    told = {each.path: each for each in explain_budget(limits, verdicts(make_run(), limits))}
    assert {path: each.text for path, each in told.items()} == {
        "size_bytes": "the size of all files together of the chosen artifact has to be at most 8.0 MB, with its whole 95 % interval,"
        " where it has one; the gate fails otherwise",
        "top1": "top-1 accuracy of the chosen artifact has to be at least 98.0 % and at most 1.0 pt less than in the baseline run,"
        " the value alone counts; the gate fails otherwise",
        "devices.host.latency_p50_ms": "the median latency of one image of the chosen artifact on host with a processor AMD* has to be"
        " at most 5 % more than in the baseline run, with its whole 95 % interval, where it has one; a prediction is no answer;"
        " otherwise the gate only warns",
        'artifacts."litert/*".size_bytes': "the size of all files together of every artifact that 'litert/*' matches has to be at"
        " most 1 B, with its whole 95 % interval, where it has one; the gate fails otherwise",
    }
    assert [check.verdict for check in told['artifacts."litert/*".size_bytes'].found] == ["fail"]
    assert told["size_bytes"].found == ()  # the pattern's limit stands in its place
