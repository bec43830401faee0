"""``edgevit search``: a front of accuracy, latency and size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgevit.cli import options
from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.results.search import Search
    from edgevit.spec.spec import Spec

SEARCH = "Search"
_PICKED = "pick.toml"


def search(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC.toml|MODEL...",
            help="Specs or models as compress takes them; several make one front.",
            show_default=False,
        ),
    ] = None,
    weights: options.Weights = None,
    pretrained: options.Pretrained = False,
    no_ema: options.NoEma = False,
    data: options.Data = None,
    calibration: options.Calibration = None,
    samples: options.Samples = None,
    class_offset: options.ClassOffset = None,
    train: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.IMAGES, help="Images to fine-tune with, apart from all others."),
    ] = None,
    export: options.Exports = None,
    scheme: options.Schemes = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="Plans to choose among, such as evit:0.7,tome:8,resolution:192; auto searches for some, and is meant"
            " where a model is named and no spec.",
        ),
    ] = None,
    form: options.Form = None,
    prune: options.Prune = None,
    finetune: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="Label-free fine-tuning to choose among: none, quick, full, or auto for both.",
        ),
    ] = None,
    accelerator: options.Accelerator = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            help="Largest loss allowed, in points; the front shows up to four times as much. 1.0 when not given.",
        ),
    ] = None,
    metric: options.Metric = None,
    device: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.CHOICE, help="Latencies are those predicted for this device."),
    ] = None,
    profile: options.Profile = None,
    threads: options.Threads = None,
    setting: options.Setting = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.1, rich_help_panel=SEARCH, help="For the whole search.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=SEARCH, help="Candidates that are really made, at most.")
    ] = None,
    objectives: Annotated[
        str, typer.Option(rich_help_panel=SEARCH, help="What the front is of: top1, p50_ms, size.")
    ] = "top1,p50_ms,size",
    method: Annotated[
        str,
        typer.Option(
            rich_help_panel=SEARCH,
            help="proxy, which predicts from single changes; exhaustive; or a black-box sampler: tpe, nsga2, random.",
        ),
    ] = "proxy",
    pick: Annotated[
        str | None,
        typer.Option(
            metavar="LIMITS",
            rich_help_panel=SEARCH,
            help='Write the spec of the best point within limits, such as "p50_ms<=8"; without a model, of --out.',
            show_default=False,
        ),
    ] = None,
    out: options.Out = None,
    resume: options.Resume = False,
    jobs: options.Jobs = None,
    cluster: options.Cluster = None,
    store: options.Store = None,
    tls: options.Tls = None,
    reuse_measurements: options.ReuseMeasurements = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", rich_help_panel=options.RUN, help="Say what would be looked at, and stop; writes nothing."
        ),
    ] = False,
    verbose: options.Verbose = False,
    as_json: options.Json = False,
) -> None:
    """Search for a front of accuracy, latency and size.

    Few of the candidates are made; the others are predicted from single changes.

    Exit 0 if a compressed candidate keeps --max-drop, 1 if none does, 2 for wrong input.

    \b
    Examples:
      edgevit search digits_vit --data digits --calibration calibration:digits --max-minutes 10
      edgevit search vit_tiny_patch16_224 mobilenetv2_100 --pretrained --data val/ --calibration train/ --trials 40
      edgevit search --out runs/search --pick "p50_ms<=8"
    """
    from edgevit.cli import render_search, terminal
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document, to_json
    from edgevit.results.search import load_search

    options.check_resume(resume, out)
    if not targets:
        print_picked(pick, out, as_json=as_json)
        return
    model: dict[str, Any] = {
        "model__weights": weights and str(weights),
        "model__pretrained": pretrained,
        "model__no_ema": no_ema,
        "data__evaluation": data,
        "data__calibration": calibration,
        "data__train": train,
        "data__samples": samples,
        "data__class_offset": class_offset,
        "passes__tokens": tokens,
        "passes__form": form,
        "passes__prune": prune,
        "finetune__mode": finetune,
        "finetune__accelerator": accelerator,
        "export__backends": options.split(export),
        "export__schemes": options.split(scheme),
        "devices": [device] if device else None,
        "budget__metric": metric,
        "budget__max_drop": max_drop,
        "measure__threads": threads,
    }
    if weights and len(targets) > 1:
        raise UsageError("--weights is for one model, and there are several", "give specs, each with its weights")
    limits = None
    if pick is not None:
        from edgevit.search.pick import parse_limits

        limits = parse_limits(pick)
    specs = tuple(_spec(target, model, profile, setting) for target in targets)
    if dry_run:
        ineffective = {
            "--out": out, "--pick": pick, "--cluster": cluster, "--store": store, "--tls": tls,
            "--reuse-measurements": reuse_measurements,
        }  # fmt: skip
        options.refuse_with("--dry-run", ineffective, "it only says what would be looked at")
    from edgevit.cluster.execution import Where
    from edgevit.run.executor import processors
    from edgevit.run.files import out_folder
    from edgevit.search.dry_run import plan_search
    from edgevit.search.request import SearchRequest, parse_objectives
    from edgevit.search.run_search import search as run_search

    request = SearchRequest(specs, parse_objectives(objectives), max_minutes, trials, method)
    if dry_run:
        with terminal.make_progress(verbose=verbose) as progress:
            planned = plan_search(request, jobs or processors(), progress)
        if as_json:
            terminal.print_json(to_document(planned))
        else:
            render_search.print_plan(planned)
        return
    with out_folder(out, specs[0].model.name, "search") as folder, terminal.make_progress(verbose=verbose) as progress:
        where = Where(jobs, cluster or "", store or "", tls, reuse_measurements)
        found = run_search(request, folder, where, progress, resume=resume)
    if as_json:
        terminal.print_line(to_json(found).decode().rstrip())
    else:
        render_search.print_search(found, folder)
    if limits is not None:
        _write_picked(load_search(folder), folder, pick or "", as_json=True, quiet=as_json)
    raise typer.Exit(ExitCode.CHECK_FAILED if found.infeasible or not found.front else ExitCode.DONE)


def print_picked(pick: str | None, out: Path | None, *, as_json: bool) -> None:
    """Picks a point of a search that has ended.

    Args:
        pick: Limits, as ``--pick`` takes them.
        out: Folder of the search.
        as_json: Whether the point is printed as JSON.

    Raises:
        UsageError: no model is given and nothing to pick, or no point keeps the limits.
    """
    from edgevit.results.search import load_search

    if pick is None:
        raise UsageError("no model is given", 'give a spec or a model, or --out DIR with --pick "p50_ms<=8"')
    if out is None:
        raise UsageError("--pick without a model needs the folder of a search", "give it with --out DIR")
    _write_picked(load_search(out), out, pick, as_json=as_json)


def _write_picked(search: Search, folder: Path, pick: str, *, as_json: bool, quiet: bool = False) -> None:
    from edgevit.cli import terminal
    from edgevit.results.document import to_document
    from edgevit.run.files import write_atomically
    from edgevit.search.pick import parse_limits, pick_point, spec_of, toml_document
    from edgevit.spec.write_toml import to_toml

    point = pick_point(search, parse_limits(pick))
    file = folder / _PICKED
    write_atomically(file, to_toml(toml_document(spec_of(search, point))).encode())
    if as_json and not quiet:
        terminal.print_json({"spec": str(file), "point": to_document(point)})
    else:
        terminal.print_message(f"picked: {point.id}")
        if not quiet:
            terminal.print_line(f"edgevit compress {file}")


def _spec(target: str, values: dict[str, Any], profile: str | None, setting: list[str] | None) -> Spec:
    """The spec of one model; a model without a spec is searched in everything."""
    from edgevit.spec.resolve import resolve_spec

    file, name = options.spec_file_or_model(target)
    given = dict(values)
    if file is None and profile is None:
        given["passes__tokens"] = given["passes__tokens"] or "auto"
        given["finetune__mode"] = given["finetune__mode"] or "quick"
    overrides = options.nested(model__name=name, **given)
    return resolve_spec(file, profile, options.with_settings(overrides, setting))
