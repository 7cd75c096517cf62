"""`gate`, `promote`, `approve`, `rollback`, `history` and `repair`."""

from pathlib import Path

import click

from tunegate.commands import options
from tunegate.console import console, emit, say, show_verdict
from tunegate.errors import VERDICT_CODES, ExitCode, UsageError

candidate_ = options.together(
    click.option(
        "--trial", help="A trial's name.", show_default="chosen among the newest run's best"
    ),
    click.option(
        "--package", type=options.PATH, help="A model package's folder, instead of a trial's."
    ),
)


@click.command()
@candidate_
@options.places
@options.include
@click.option("--url", help="A running service, to ask about the candidate's shadow.")
@options.cpus
@options.judging
@options.json
def gate(trial: str | None, package: Path | None, *, json: bool, **flags: options.Flags) -> int:
    """Judge a candidate against the champion; changes nothing in production.

    Example: tunegate gate --trial boston-forest-qd2sfcz2
    """
    from tunegate.promotion.candidates import contenders
    from tunegate.promotion.decision import gate as judge

    workspace = options.workspace(**flags)
    settings = workspace.settings
    found = contenders(workspace, trial=trial, package=package)
    _, verdict = judge(workspace, found, settings.gate, url=settings.url)
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    return VERDICT_CODES[verdict.verdict]


@click.command()
@candidate_
@click.option("--experiment", help="Whose best trials.", show_default="the newest run's")
@options.on
@click.option(
    "--wait",
    type=options.SECONDS,
    default=0.0,
    show_default=True,
    help="Seconds to wait for the Experiment to appear and end, on Katib.",
)
@options.places
@options.include
@options.namespace
@options.context
@options.url
@options.cpus
@options.judging
@options.dry_run
@click.option(
    "--exit-code/--no-exit-code",
    "code",
    default=True,
    show_default=True,
    help="Let 10, 11 and 12 tell the verdict; 0 for each otherwise.",
)
@options.json
def promote(
    trial: str | None,
    package: Path | None,
    experiment: str | None,
    *,
    on: str,
    wait: float,
    dry_run: bool,
    code: bool,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Judge a candidate and, where the gate says so, bring it into production.

    With `--on katib` the candidate is one of the best trials of an Experiment on the cluster, which is waited for.

    Example: tunegate promote --url http://127.0.0.1:8000
    """
    from tunegate.promotion.candidates import contenders
    from tunegate.promotion.decision import decide
    from tunegate.promotion.decision import gate as judge

    workspace = options.workspace(**flags)
    run = None
    if on == options.Back.KATIB:
        from tunegate.search.on_katib import await_experiment

        run = await_experiment(workspace, _named(experiment, package), wait=wait)
    elif wait:
        raise UsageError(
            "--wait is for --on katib", hint="a local run is over when `tunegate tune` is"
        )
    elif experiment:
        run = workspace.last_run(experiment)
    found = contenders(workspace, trial=trial, package=package, run=run)
    policy = workspace.settings.gate
    if dry_run:
        _, verdict = judge(workspace, found, policy, url=workspace.settings.url)
    else:
        verdict = decide(workspace, found, policy, url=workspace.settings.url).verdict
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    if code:
        return VERDICT_CODES[verdict.verdict]
    return ExitCode.DONE


def _named(experiment: str | None, package: Path | None) -> str:
    if package:
        raise UsageError(
            "--package and --on katib name two candidates", hint="leave one of them out"
        )
    if not experiment:
        raise UsageError(
            "--on katib needs --experiment", hint="`kubectl get experiments -A` shows their names"
        )
    return experiment


@click.command()
@options.places
@options.include
@options.url
@options.json
def approve(*, json: bool, **flags: options.Flags) -> int:
    """Promote what the latest verdict holds for approval (`gate.approval = "manual"`).

    Example: tunegate approve --url http://127.0.0.1:8000
    """
    from tunegate.promotion.decision import approve as approve_held

    workspace = options.workspace(**flags)
    decision = approve_held(workspace, url=workspace.settings.url)
    show_verdict(decision.verdict)
    if json:
        emit(decision.verdict.to_dict())
    return VERDICT_CODES[decision.verdict.verdict]


@click.command()
@click.option("--to", type=int, help="Number of the promotion.", show_default="the one before")
@click.option("--reason", default="", help="Why, for the ledger.")
@options.places
@options.url
@options.dry_run
@options.json
def rollback(
    to: int | None, reason: str, *, dry_run: bool, json: bool, **flags: options.Flags
) -> int:
    """Return to an earlier promotion; this is one more promotion in the ledger.

    Example: tunegate rollback --reason "customers complain"
    """
    workspace = options.workspace(**flags)
    promoter = workspace.promoter(url=workspace.settings.url, notify=say)
    if dry_run:
        target = promoter.rollback_target(workspace.model, to=to)
        say(
            f"would return to promotion {target.promotion.number}, package {target.promotion.sha256[:12]}"
        )
        if json:
            emit(target.to_dict())
        return ExitCode.DONE
    for sentence in promoter.repair(workspace.model):  # so that `before` is what truly serves
        say(sentence)
    before = workspace.champion()
    entry = promoter.rollback(workspace.model, to=to, reason=reason)
    workspace.save_rollback(before, entry)
    say(
        f"promotion {entry.promotion.number} is {entry.state}: back to package {entry.promotion.sha256[:12]}"
    )
    if json:
        emit(entry.to_dict())
    return ExitCode.DONE


@click.command()
@options.data
@options.model
@options.state
@options.ledger
@options.json
def history(*, json: bool, **flags: options.Flags) -> int:
    """Show what was in production when, and why.

    Example: tunegate history
    """
    from rich.markup import escape
    from rich.table import Table

    workspace = options.workspace(**flags)
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
        if entry.state != "reverted" or not entry.outcome:
            why = "; ".join(p.reasons)
        else:
            why = entry.outcome.note
        cells = (str(p.number), when, entry.state, p.sha256[:12], p.actor, f"{p.kind}: {why}")
        table.add_row(*map(escape, cells))
    console.print(table if entries else f"{workspace.model}: nothing was promoted yet")
    return ExitCode.DONE


@click.command()
@click.option("--force", is_flag=True, help="Take over a promotion whose lease still runs.")
@options.places
@options.url
@options.json
def repair(*, force: bool, json: bool, **flags: options.Flags) -> int:
    """Finish or undo what a crashed run left; let the pointer follow the ledger.

    Example: tunegate repair
    """
    workspace = options.workspace(**flags)
    done = workspace.promoter(url=workspace.settings.url, notify=say).repair(
        workspace.model, force=force
    )
    for sentence in done or ["nothing to repair"]:
        say(sentence)
    if json:
        emit(done)
    return ExitCode.DONE
