"""`run` and `tune`; `lint` stands beside them."""

from pathlib import Path
from typing import Annotated

import typer

from tunegate.commands import options
from tunegate.commands.linting import lint
from tunegate.console import emit, say
from tunegate.errors import VERDICT_CODES, ExitCode, UsageError

EXPERIMENT = Path("manifests/experiment.yaml")
File = Annotated[Path | None, typer.Argument(help="The Experiment.", show_default=f"{EXPERIMENT}, or the one shipped")]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds to follow an Experiment on a cluster.", show_default="no limit", min=1)
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the newest run, which was interrupted or ended by --time.")
]
Time = Annotated[
    str | None,
    typer.Option(help="No local trial starts after this time: 90s, 5m, 1h30m, or seconds.", show_default="no limit"),
]
Warm = Annotated[
    bool, typer.Option("--warm-start", help="Let a local search learn from earlier runs on the same data.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(tune)
    app.command()(lint)


def run(
    experiment: File = None,
    data: options.Data = None,
    include: options.Include = None,
    state: options.State = None,
    host: options.Host = None,
    port: options.Port = None,
    cpus: options.Cpus = None,
    mount: options.Mount = None,
    image: options.Image = None,
    mode: options.Mode = None,
    allow_new_data: options.NewData = False,
    allow_schema_change: options.NewSchema = False,
    resume: Resume = False,
    time: Time = None,
    warm_start: Warm = False,
    serve: Annotated[bool, typer.Option(help="Go on serving after the end.")] = True,
    json: options.Json = False,
) -> int:
    """Tune, gate, promote, serve and smoke-test, all of it.

    Example: tunegate run manifests/experiment.yaml --port 8080
    """
    from katib.experiment import read_experiment
    from tunegate.pipeline import Options
    from tunegate.pipeline import run as run_all

    workspace = options.workspace(
        data=data, include=include, state=state, host=host, port=port, cpus=cpus, mounts=mount, images=image,
        mode=mode, allow_new_data=allow_new_data, allow_schema_change=allow_schema_change, time=time,
        warm_start=warm_start or None,
    )  # fmt: skip
    decision = run_all(workspace, read_experiment(experiment or shipped()), Options(resume=resume, serve=serve))
    if json:
        emit(decision.verdict.to_dict())
    return VERDICT_CODES[decision.verdict.verdict]


def tune(
    experiment: File = None,
    data: options.Data = None,
    state: options.State = None,
    store: options.Store = None,
    cpus: options.Cpus = None,
    mount: options.Mount = None,
    image: options.Image = None,
    resume: Resume = False,
    time: Time = None,
    warm_start: Warm = False,
    on: options.On = options.Back.LOCAL,
    namespace: options.Namespace = None,
    context: options.Context = None,
    timeout: Timeout = None,
    json: options.Json = False,
) -> int:
    """Run an Experiment's trials: on this machine, as Katib would run them as Jobs, or with Katib on a cluster.

    There, the same command again follows the Experiment that it has created.

    Example: tunegate tune manifests/experiment.yaml --cpus 4
    """
    from katib.experiment import read_experiment

    workspace = options.workspace(
        data=data, state=state, store=store, cpus=cpus, mounts=mount, images=image, time=time,
        warm_start=warm_start or None, namespace=namespace, context=context,
    )  # fmt: skip
    if on is options.Back.KATIB:
        from tunegate.following import tune_on_katib

        if resume:
            raise UsageError("--resume is for local runs", hint="on a cluster the same command goes on by itself")
        if time is not None:
            message = "--time is for local runs: Katib ends an Experiment by its trials or its goal alone (katib#1151)"
            raise UsageError(message, hint="set maxTrialCount; --timeout ends the following, not the Experiment")
        if warm_start:
            hint = "give the best known point as the setting `first` of the algorithm `tunegate`"
            raise UsageError("--warm-start is for local runs", hint=hint)
        document = read_experiment(experiment or shipped(), local=False)
        return tune_on_katib(workspace, document, timeout=timeout, as_json=json)
    if timeout is not None:
        raise UsageError("--timeout is for --on katib", hint="Ctrl-C, then --resume, interrupts a local run")
    from tunegate.tuning import tune as run_trials

    result = run_trials(workspace, read_experiment(experiment or shipped()), resume=resume)
    status = result.experiment["status"]
    last = status["conditions"][-1]
    best = status["currentOptimalTrial"].get("bestTrialName")
    say(f"{last['message']}; best trial: {best or 'none'}; status: {result.folder}")
    if json:
        emit(result.experiment)
    return ExitCode.DONE if result.succeeded else ExitCode.ERROR


def shipped() -> Path:
    """Return the repository's Experiment where we stand in it, else the one in the wheel."""
    return EXPERIMENT if EXPERIMENT.exists() else Path(__file__).parent.parent / "experiment.yaml"
