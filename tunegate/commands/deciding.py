"""`gate`, `promote`, `approve`, `rollback`, `history` and `repair`."""

from pathlib import Path
from typing import Annotated

import typer

from tunegate.commands import options
from tunegate.console import console, emit, say, show_verdict
from tunegate.errors import VERDICT_CODES, ExitCode, UsageError

Trial = Annotated[str | None, typer.Option(help="A trial's name.", show_default="the newest run's best")]
Experiment = Annotated[str | None, typer.Option(help="Whose best trial.", show_default="the newest run's")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for the Experiment to appear and end, on Katib.", min=0)]
Code = Annotated[
    bool, typer.Option("--exit-code/--no-exit-code", help="Let 10, 11 and 12 tell the verdict; 0 for each otherwise.")
]
Package = Annotated[Path | None, typer.Option(help="A model package's folder, instead of a trial's.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (gate, promote, approve, rollback, history, repair):
        app.command()(command)


def gate(
    trial: Trial = None,
    package: Package = None,
    data: options.Data = None,
    model: options.Model = None,
    include: options.Include = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    url: Annotated[str | None, typer.Option(help="A running service, to ask about the candidate's shadow.")] = None,
    cpus: options.Cpus = None,
    mode: options.Mode = None,
    allow_new_data: options.NewData = False,
    allow_schema_change: options.NewSchema = False,
    json: options.Json = False,
) -> int:
    """Judge a candidate against the champion; changes nothing in production.

    Example: tunegate gate --trial boston-forest-qd2sfcz2
    """
    from tunegate.deciding import find_candidate
    from tunegate.deciding import gate as judge

    workspace = options.workspace(
        data=data, model=model, include=include, state=state, store=store, ledger=ledger, url=url, cpus=cpus,
        mode=mode, allow_new_data=allow_new_data, allow_schema_change=allow_schema_change,
    )  # fmt: skip
    settings = workspace.settings
    candidate = find_candidate(workspace, trial=trial, package=package)
    verdict = judge(workspace, candidate, settings.gate, url=settings.url)
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    return VERDICT_CODES[verdict.verdict]


def promote(
    trial: Trial = None,
    package: Package = None,
    experiment: Experiment = None,
    on: options.On = options.Back.LOCAL,
    wait: Wait = 0.0,
    data: options.Data = None,
    model: options.Model = None,
    include: options.Include = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    namespace: options.Namespace = None,
    context: options.Context = None,
    url: options.Url = None,
    cpus: options.Cpus = None,
    mode: options.Mode = None,
    allow_new_data: options.NewData = False,
    allow_schema_change: options.NewSchema = False,
    dry_run: options.DryRun = False,
    code: Code = True,
    json: options.Json = False,
) -> int:
    """Judge a candidate and, where the gate says so, bring it into production.

    With `--on katib` the candidate is the best trial of an Experiment on the cluster, which is waited for.

    Example: tunegate promote --url http://127.0.0.1:8000
    """
    from tunegate.deciding import decide, find_candidate
    from tunegate.deciding import gate as judge

    workspace = options.workspace(
        data=data, model=model, include=include, state=state, store=store, ledger=ledger, namespace=namespace,
        context=context, url=url, cpus=cpus,
        mode=mode, allow_new_data=allow_new_data, allow_schema_change=allow_schema_change,
    )  # fmt: skip
    run = None
    if on is options.Back.KATIB:
        from tunegate.awaiting import await_experiment

        run = await_experiment(workspace, _named(experiment, package), wait=wait)
    elif wait:
        raise UsageError("--wait is for --on katib", hint="a local run is over when `tunegate tune` is")
    elif experiment:
        run = workspace.last_run(experiment)
    candidate = find_candidate(workspace, trial=trial, package=package, run=run)
    policy = workspace.settings.gate
    if dry_run:
        verdict = judge(workspace, candidate, policy, url=workspace.settings.url)
    else:
        verdict = decide(workspace, candidate, policy, url=workspace.settings.url).verdict
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    return VERDICT_CODES[verdict.verdict] if code else ExitCode.DONE


def _named(experiment: str | None, package: Path | None) -> str:
    if package:
        raise UsageError("--package and --on katib name two candidates", hint="leave one of them out")
    if not experiment:
        raise UsageError("--on katib needs --experiment", hint="`kubectl get experiments -A` shows their names")
    return experiment


def approve(
    data: options.Data = None,
    model: options.Model = None,
    include: options.Include = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    url: options.Url = None,
    json: options.Json = False,
) -> int:
    """Promote what the latest verdict holds for approval (`gate.approval = "manual"`).

    Example: tunegate approve --url http://127.0.0.1:8000
    """
    from tunegate.deciding import approve as approve_held

    workspace = options.workspace(
        data=data, model=model, include=include, state=state, store=store, ledger=ledger, url=url
    )
    decision = approve_held(workspace, url=workspace.settings.url)
    show_verdict(decision.verdict)
    if json:
        emit(decision.verdict.to_dict())
    return VERDICT_CODES[decision.verdict.verdict]


def rollback(
    to: Annotated[int | None, typer.Option(help="Number of the promotion.", show_default="the one before")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    data: options.Data = None,
    model: options.Model = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    url: options.Url = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> int:
    """Return to an earlier promotion; this is one more promotion in the ledger.

    Example: tunegate rollback --reason "customers complain"
    """
    workspace = options.workspace(data=data, model=model, state=state, store=store, ledger=ledger, url=url)
    promoter = workspace.promoter(url=workspace.settings.url, notify=say)
    if dry_run:
        target = promoter.rollback_target(workspace.model, to=to)
        say(f"would return to promotion {target.promotion.number}, package {target.promotion.sha256[:12]}")
        if json:
            emit(target.to_dict())
        return ExitCode.DONE
    for sentence in promoter.repair(workspace.model):  # so that `before` is what truly serves
        say(sentence)
    before = workspace.champion()
    entry = promoter.rollback(workspace.model, to=to, reason=reason)
    workspace.save_rollback(before, entry)
    say(f"promotion {entry.promotion.number} is {entry.state}: back to package {entry.promotion.sha256[:12]}")
    if json:
        emit(entry.to_dict())
    return ExitCode.DONE


def history(
    data: options.Data = None,
    model: options.Model = None,
    state: options.State = None,
    ledger: options.Ledger = None,
    json: options.Json = False,
) -> int:
    """Show what was in production when, and why.

    Example: tunegate history
    """
    from rich.markup import escape
    from rich.table import Table

    workspace = options.workspace(data=data, model=model, state=state, ledger=ledger)
    entries = workspace.ledger.history(workspace.model)
    if json:
        emit([entry.to_dict() for entry in entries])
        return ExitCode.DONE
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("no", "when", "state", "package", "by", "why"):
        table.add_column(column, overflow="fold", no_wrap=column not in {"by", "why"})
    for entry in entries:
        p = entry.promotion
        when = p.created_at.strftime("%Y-%m-%d %H:%M")
        why = "; ".join(p.reasons) if entry.state != "reverted" or not entry.outcome else entry.outcome.note
        cells = (str(p.number), when, entry.state, p.sha256[:12], p.actor, f"{p.kind}: {why}")
        table.add_row(*map(escape, cells))
    console.print(table if entries else f"{workspace.model}: nothing was promoted yet")
    return ExitCode.DONE


def repair(
    force: Annotated[bool, typer.Option("--force", help="Take over a promotion whose lease still runs.")] = False,
    data: options.Data = None,
    model: options.Model = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    url: options.Url = None,
    json: options.Json = False,
) -> int:
    """Finish or undo what a crashed run left; let the pointer follow the ledger.

    Example: tunegate repair
    """
    workspace = options.workspace(data=data, model=model, state=state, store=store, ledger=ledger, url=url)
    done = workspace.promoter(url=workspace.settings.url, notify=say).repair(workspace.model, force=force)
    for sentence in done or ["nothing to repair"]:
        say(sentence)
    if json:
        emit(done)
    return ExitCode.DONE
