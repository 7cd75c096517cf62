"""The commands `run` and `tune`."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import VERDICT_CODES, ExitCode, UsageError
from tunegate.shipped import shipped_experiment

if TYPE_CHECKING:
    from tunegate.study.checked_plan import PlannedSearch
    from tunegate.study.starting import TableOptions

source_ = click.argument(
    "source",
    required=False,
    help="A table, a data set spec (.toml) or an Experiment (.yaml); without it what --data names, "
    "or manifests/experiment.yaml, or the Experiment shipped; with --resume the newest run's.",
)
of_table = options.together(
    click.option("--target", default="", help="The column to predict, of a table."),
    click.option(
        "--task",
        default="",
        type=click.Choice(["", "regression", "classification"]),
        help="What a table's target is.",
        show_default="its values tell",
    ),
    click.option(
        "--name", default="", help="The model's name, of a table.", show_default="the file's"
    ),
    options.query,
    options.learner,
    click.option(
        "--trials",
        type=click.IntRange(1),
        help="How many trials.",
        show_default="the Experiment's number",
    ),
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
@source_
@of_table
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
    source: str | None,
    *,
    target: str,
    task: str,
    name: str,
    query: str,
    learner: str,
    trials: int | None,
    resume: bool,
    serve: bool,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Tune, gate, promote, serve and smoke-test, all of it.

    Example: tunegate run houses.csv --target price --port 8080
    """
    from tunegate.pipeline import PipelineOptions, run_pipeline
    from tunegate.study.starting import TableOptions

    table = TableOptions(target, task, name, learner, query)
    plan = _plan("run", source, table, trials, resume=resume, **flags)
    decision = run_pipeline(plan, PipelineOptions(serve=serve))
    if json:
        emit(decision.verdict.to_dict())
    return VERDICT_CODES[decision.verdict.verdict]


@click.command()
@source_
@of_table
@options.data
@options.include
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
    show_default="a day",
)
@click.option("--until-eof", is_flag=True, hidden=True)
@options.json
def tune_command(
    source: str | None,
    *,
    target: str,
    task: str,
    name: str,
    query: str,
    learner: str,
    trials: int | None,
    on: str,
    resume: bool,
    timeout: float | None,
    until_eof: bool,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Run an Experiment's trials on this machine, or with Katib on a cluster.

    On a cluster, the same command again follows the Experiment that it has created.

    Example: tunegate tune manifests/experiment.yaml --cpus 4
    """
    from tunegate.study.starting import TableOptions

    table = TableOptions(target, task, name, learner, query)
    if on == options.Back.KATIB:
        if resume or trials or learner or table.given():
            raise UsageError(
                "--resume, --trials, --model and the options of a table are for local runs",
                hint="on a cluster the same command follows the Experiment again",
            )
        return _tune_on_katib(source, timeout, json=json, **flags)
    if timeout is not None:
        raise UsageError(
            "--timeout is for --on katib", hint="Ctrl-C, then --resume, interrupts a local run"
        )
    from tunegate.study.study import run_search

    if until_eof:
        from api.server.signals import call_at_eof

        call_at_eof(lambda: os.kill(os.getpid(), signal.SIGTERM))
    study = run_search(_plan("tune", source, table, trials, resume=resume, **flags))
    best = study.status["status"]["currentOptimalTrial"].get("bestTrialName", "none")
    say(f"{study.message}; best trial: {best}; status: {study.folder}")
    if json:
        emit(study.status)
    if study.succeeded:
        return ExitCode.DONE
    return ExitCode.ERROR


def _tune_on_katib(
    source: str | None, timeout: float | None, *, json: bool, **flags: options.Flags
) -> int:
    from katib.experiment import read_experiment
    from tunegate.search.on_katib import tune_on_katib

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
    file = Path(source) if source else shipped_experiment()
    document = read_experiment(file, local=False)
    return tune_on_katib(options.workspace(**flags), document, timeout=timeout, as_json=json)


def _plan(
    command: str,
    source: str | None,
    table: "TableOptions",
    trials: int | None,
    *,
    resume: bool,
    **flags: options.Flags,
) -> "PlannedSearch":
    from tunegate.study.planning import prepare_resumption, prepare_search

    settings = options.settings(**flags)
    if not resume:
        return prepare_search(source, settings, table, trials=trials, command=command)
    if trials or table.model or table.given():
        raise UsageError(
            "--resume continues with what the run was started with",
            hint="leave --trials, --model and the options of a table out",
        )
    return prepare_resumption(source, settings, command=command)
