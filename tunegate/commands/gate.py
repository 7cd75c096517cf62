"""`gate`."""

from pathlib import Path

import click

from tunegate.commands import options
from tunegate.console import emit, show_verdict
from tunegate.errors import VERDICT_CODES
from tunegate.promotion.candidates import find_contenders
from tunegate.promotion.decision import judge_candidate


@click.command()
@options.candidate
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
    workspace = options.workspace(**flags)
    settings = workspace.settings
    contenders = find_contenders(workspace, trial=trial, package=package)
    _, verdict = judge_candidate(workspace, contenders, settings.gate, url=settings.url)
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    return VERDICT_CODES[verdict.verdict]
