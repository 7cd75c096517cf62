"""`promote` and `approve`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.console import emit, show_verdict
from tunegate.errors import VERDICT_CODES, ExitCode, UsageError

if TYPE_CHECKING:
    from tunegate.workspace import Workspace


@click.command()
@options.candidate
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
    evidence: Path | None,
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

    With `--on katib` the candidate is one of the best trials of an Experiment on the cluster, which
    is waited for.

    Example: tunegate promote --url http://127.0.0.1:8000
    """
    from tunegate.study.candidacy import Candidacy

    workspace = options.workspace(**flags)
    run: Path | None
    if on == options.Back.KATIB:
        run = _await_run(workspace, experiment, package, wait)
    else:
        run = _local_run(workspace, experiment, wait)
    trial = options.evidence_trial(workspace, evidence, trial, package, experiment) or trial
    candidacy = Candidacy.find(workspace, trial=trial, package=package, run=run)
    if dry_run:
        verdict = candidacy.judge()
    else:
        verdict = candidacy.promote().verdict
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    if code:
        return VERDICT_CODES[verdict.verdict]
    return ExitCode.DONE


def _await_run(
    workspace: "Workspace", experiment: str | None, package: Path | None, wait: float
) -> Path:
    from tunegate.search.on_katib import await_experiment

    if package:
        raise UsageError(
            "--package and --on katib name two candidates", hint="leave one of them out"
        )
    if not experiment:
        raise UsageError(
            "--on katib needs --experiment", hint="`kubectl get experiments -A` shows their names"
        )
    return await_experiment(workspace, experiment, wait=wait)


def _local_run(workspace: "Workspace", experiment: str | None, wait: float) -> Path | None:
    """Return the newest run of the Experiment; None if no Experiment was named."""
    if wait:
        raise UsageError(
            "--wait is for --on katib", hint="a local run is over when `tunegate tune` is"
        )
    if experiment:
        return workspace.last_run(experiment)
    return None


@click.command()
@click.option("--by", "approved_by", help="Who approves.", show_default="who runs it")
@click.option("--reason", "approval_reason", help="Why, for the ledger.")
@options.places
@options.include
@options.url
@options.json
def approve(*, json: bool, **flags: options.Flags) -> int:
    """Promote what the latest verdict holds for approval (`gate.approval = "manual"`).

    It is judged once more, on today's data. A promotion waits for `gate.approval_days`.

    Example: tunegate approve --by ada --reason "seen in shadow mode for a week"
    """
    from tunegate.promotion.decision import approve_held

    workspace = options.workspace(**flags)
    decision = approve_held(workspace, url=workspace.settings.url)
    show_verdict(decision.verdict)
    if json:
        emit(decision.verdict.to_dict())
    return VERDICT_CODES[decision.verdict.verdict]
