"""The commands `run` and `tune`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import VERDICT_CODES, ExitCode, UsageError

if TYPE_CHECKING:
    from katib.experiment import Experiment
    from tunegate.workspace import Workspace

EXPERIMENT = Path("manifests/experiment.yaml")
file = click.argument(
    "experiment",
    type=options.PATH,
    required=False,
    help=f"The Experiment; without it {EXPERIMENT}, or the one shipped; "
    "with --resume the newest run's.",
)
resume_ = click.option(
    "--resume",
    is_flag=True,
    help="Resume the newest run, which was interrupted or ended by --time.",
)
searching = options.together(
    options.cpus,
    options.mount,
    options.image,
    resume_,
    click.option(
        "--time",
        help="No local trial starts after this time: 90s, 5m, 1h30m, or seconds.",
        show_default="no limit",
    ),
    click.option(
        "--warm-start",
        is_flag=True,
        default=None,
        help="Let a local search learn from earlier runs on the same data.",
    ),
)


@click.command()
@file
@options.data
@options.include
@options.state
@options.host
@options.port
@searching
@options.judging
@click.option(
    "--serve/--no-serve", default=True, help="Keep serving after the end.", show_default=True
)
@options.json
def run(
    experiment: Path | None, *, resume: bool, serve: bool, json: bool, **flags: options.Flags
) -> int:
    """Tune, gate, promote, serve and smoke-test, all of it.

    Example: tunegate run manifests/experiment.yaml --port 8080
    """
    from tunegate.pipeline import PipelineOptions, run_pipeline

    workspace = options.workspace(**flags)
    decision = run_pipeline(
        workspace,
        _read_or_newest(experiment, workspace, resume=resume),
        PipelineOptions(resume=resume, serve=serve),
    )
    if json:
        emit(decision.verdict.to_dict())
    return VERDICT_CODES[decision.verdict.verdict]


@click.command()
@file
@options.data
@options.state
@options.store
@searching
@options.on
@options.namespace
@options.context
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    help="Seconds to follow an Experiment on a cluster.",
    show_default="no limit",
)
@options.json
def tune(
    experiment: Path | None,
    *,
    on: str,
    resume: bool,
    timeout: float | None,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Run an Experiment's trials on this machine, or with Katib on a cluster.

    On a cluster, the same command again follows the Experiment that it has created.

    Example: tunegate tune manifests/experiment.yaml --cpus 4
    """
    workspace = options.workspace(**flags)
    if on == options.Back.KATIB:
        from katib.experiment import read_experiment
        from tunegate.search.on_katib import tune_on_katib

        if resume:
            raise UsageError(
                "--resume is for local runs",
                hint="on a cluster the same command follows the Experiment again",
            )
        if flags["time"] is not None:
            text = (
                "--time is for local runs: "
                "Katib ends an Experiment by its trials or its goal alone (katib#1151)"
            )
            raise UsageError(
                text, hint="set maxTrialCount; --timeout ends the following, not the Experiment"
            )
        if flags["warm_start"]:
            hint = "give the best known point as the setting `first` of the algorithm `tunegate`"
            raise UsageError("--warm-start is for local runs", hint=hint)
        document = read_experiment(experiment or shipped(), local=False)
        return tune_on_katib(workspace, document, timeout=timeout, as_json=json)
    if timeout is not None:
        raise UsageError(
            "--timeout is for --on katib", hint="Ctrl-C, then --resume, interrupts a local run"
        )
    from katib.objects import message
    from tunegate.search.local import tune_locally

    result = tune_locally(
        workspace, _read_or_newest(experiment, workspace, resume=resume), resume=resume
    )
    best = result.experiment["status"]["currentOptimalTrial"].get("bestTrialName", "none")
    say(f"{message(result.experiment)}; best trial: {best}; status: {result.folder}")
    if json:
        emit(result.experiment)
    if result.succeeded:
        return ExitCode.DONE
    return ExitCode.ERROR


def _read_or_newest(file: Path | None, workspace: "Workspace", *, resume: bool) -> "Experiment":
    from katib.experiment import read_experiment
    from tunegate.search.local import newest_experiment

    if resume and not file:
        return newest_experiment(workspace)
    return read_experiment(file or shipped())


def shipped() -> Path:
    """Return the Experiment of the repository we are in, or the one in the wheel."""
    if EXPERIMENT.exists():
        return EXPERIMENT
    return Path(__file__).parent.parent / "experiment.yaml"
