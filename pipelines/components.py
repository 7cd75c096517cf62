"""Components from a table to a model in production, for pipelines of any data set.

kfp ships a component's source alone, so each imports what it needs. Where a command of tunegate
does the step, the component calls the command: what a pipeline does can be done by hand.
"""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output

IMAGE = "localhost/tunegate-pipeline-python:0.2.0"  # pipelines/Dockerfile
component = dsl.component(base_image=IMAGE, install_kfp_package=False)


@component
def download(source: str, table: Output[Dataset]) -> None:
    """Copy a CSV file: `source` is a path, a URL, or a built-in data set that has a file."""
    import shutil
    from pathlib import Path

    import fsspec

    from trainer.spec import builtin_names, load_spec

    if source in builtin_names():
        spec = load_spec(source)
        source = str(spec.folder / spec.source)
    with fsspec.open(source, "rb") as read, Path(table.path).open("wb") as written:
        shutil.copyfileobj(read, written)
    table.metadata["source"] = source


@component
def prepare(
    table: Input[Dataset],
    spec: str,
    data: Output[Dataset],
    training: Output[Dataset],
    holdout: Output[Dataset],
) -> None:
    """Check the table against its spec, a TOML text, and split it.

    What other pipelines call preprocessing is in the spec: the columns' kinds, what is dropped,
    what means a missing value. `data` is a folder, data.toml and table.csv, and is what the search
    gets; the two parts are for people and for other components.
    """
    import shutil
    import tomllib
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from trainer.dataset import load_dataset

    folder = Path(data.path)
    folder.mkdir(parents=True)
    shutil.copyfile(table.path, folder / "table.csv")
    if tomllib.loads(spec)["source"] != "table.csv":
        raise ValueError('the spec must say source = "table.csv": the pipeline brings the table')
    (folder / "data.toml").write_text(spec, encoding="utf-8")
    dataset = load_dataset(str(folder / "data.toml"))
    for part, artifact in ((dataset.training, training), (dataset.holdout, holdout)):
        frame = pd.DataFrame({column.name: part.table[column.name] for column in dataset.columns})
        target = part.y
        if dataset.classes:
            target = np.array(dataset.classes, dtype=object)[part.y.astype(int)]
        frame[dataset.spec.target] = target
        frame.to_csv(artifact.path, index=False)
        artifact.metadata["rows"] = len(frame)
    data.metadata["fingerprint"] = dataset.fingerprint


@component
def preprocess(data: Input[Dataset], training: Output[Dataset], holdout: Output[Dataset]) -> None:
    """Encode both parts: a CSV column of numbers for each feature, as the trees read them.

    `train`, `tune` and the server encode for themselves, by the same rules, which the package
    holds; these tables are for components of others.
    """
    from pathlib import Path

    import pandas as pd

    from registry.package import COLUMN_KINDS
    from trainer.dataset import load_dataset

    dataset = load_dataset(str(Path(data.path) / "data.toml"))
    names = [
        name
        for column in dataset.columns
        for name in COLUMN_KINDS[column.kind].feature_names(column)
    ]
    for part, artifact in ((dataset.training, training), (dataset.holdout, holdout)):
        frame = pd.DataFrame(dataset.matrix(part), columns=names)
        frame.to_csv(artifact.path, index=False)
        artifact.metadata["rows"] = len(frame)


@component
def train(
    data: Input[Dataset],
    learner: str,
    hyperparameters: dict,  # type: ignore[type-arg] # kfp knows no other
    model: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Fit one model without a search; the metrics are those of its cross-validation."""
    import subprocess
    import sys
    from pathlib import Path

    command = [sys.executable, "-m", "tunegate", "train", "--model", learner]
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in hyperparameters.items()]
    where = ["--data", str(Path(data.path) / "data.toml"), "--output", model.path]
    done = subprocess.run([*command, *flags, *where], check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        name, equals, value = line.rpartition(" ")[2].partition("=")
        if equals:
            metrics.log_metric(f"cross_validated_{name}", float(value))
    model.metadata["learner"] = learner


@component
def tune(  # noqa: PLR0913 - a component's inputs and outputs
    data: Input[Dataset],
    trials: int,
    experiment: str,
    store: str,
    job: str,
    model: Output[Model],
    run: Output[Artifact],
    metrics: Output[Metrics],
) -> None:
    """Search, and hand the best trial's package on; `run` has the trials, as a state folder.

    Without an `experiment` the search runs in this step, with so many trials. Otherwise it is an
    Experiment's YAML text, with a number of its own: it is created on the cluster, named after the
    pipeline's job, and waited for. Its trials, which Katib runs, leave their packages in `store`,
    on a volume that this step must have, too.

    The metrics are those of the cross-validation, which the search has chosen by: see `evaluate`
    for the holdout.
    """
    import os
    import shutil
    import subprocess
    import sys
    from pathlib import Path

    import yaml

    import tunegate as tg

    if experiment:
        document = yaml.safe_load(experiment)
        document["metadata"]["name"] += f"-{job[:8]}"
        Path(run.path).mkdir(parents=True)
        path = Path(run.path) / "experiment.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        os.environ["TUNEGATE_STORE"] = store
        command = [sys.executable, "-m", "tunegate", "tune", str(path), "--on", "katib"]
        subprocess.run([*command, "--state", run.path], check=True)
        study = tg.Study.newest(state=run.path)
    else:
        study = tg.tune(str(Path(data.path) / "data.toml"), trials=trials, state=run.path)
    best = study.best
    shutil.copytree(study.workspace.store.trial(best.name), model.path)
    model.metadata["sha256"] = study.package.digest
    model.metadata["parameters"] = {name: str(value) for name, value in best.parameters.items()}
    for name, value in best.metrics.items():
        metrics.log_metric(f"cross_validated_{name}", value)


@component
def predict(model: Input[Model], table: Input[Dataset], predictions: Output[Dataset]) -> None:
    """Predict a table's rows."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "tunegate", "predict", table.path]
    options = ["--package", model.path, "--output", f"{predictions.path}.csv"]
    subprocess.run([*command, *options], check=True)
    predictions.uri += ".csv"


@component
def evaluate(model: Input[Model], table: Input[Dataset], metrics: Output[Metrics]) -> None:
    """Score a package on a labelled table: all metrics of its task."""
    import json
    import subprocess
    import sys

    command = [sys.executable, "-m", "tunegate", "evaluate", table.path]
    options = ["--package", model.path, "--json"]
    done = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE)
    for name, value in json.loads(done.stdout)["scores"].items():
        metrics.log_metric(name, value)


@component
def gate(
    model: Input[Model],
    data: Input[Dataset],
    state: str,
    store: str,
    verdict: Output[Artifact],
    metrics: Output[Metrics],
) -> str:
    """Judge a package against what is in production, and change nothing.

    `state` and `store` are as in `promote`. Returns the verdict: promote, keep, hold or refuse, of
    which none is a failure; the artifact has it with its reasons and numbers, as JSON.
    """
    import json
    import subprocess
    import sys
    from pathlib import Path

    command = [sys.executable, "-m", "tunegate", "gate", "--package", model.path, "--json"]
    where = ["--data", str(Path(data.path) / "data.toml"), "--state", state]
    if store:
        where += ["--store", store]
    done = subprocess.run([*command, *where], check=False, stdout=subprocess.PIPE)
    if done.returncode not in {0, 10, 11, 12}:  # docs/cli.md: the verdicts
        raise SystemExit(done.returncode)
    Path(verdict.path).write_bytes(done.stdout)
    judged = json.loads(done.stdout)
    for key in ("recipe", "holdout"):
        for name, value in (judged[key] or {}).items():
            if isinstance(value, int | float):
                metrics.log_metric(f"{key}_{name}", value)
    found: str = judged["verdict"]
    return found


@component
def store(model: Input[Model], address: str, name: str) -> str:
    """Put a package into a model store, where it is named by its content; returns its digest.

    `address` is a folder or an address such as s3://models/houses. Nothing is promoted: servers
    follow what `promote` points to.
    """
    from pathlib import Path

    from registry.package import load_package
    from tunegate.settings import load_settings
    from tunegate.workspace import open_store

    package = load_package(Path(model.path))
    open_store(load_settings(model=name, store=address)).add(package)
    return package.digest


@component
def promote(
    model: Input[Model],
    data: Input[Dataset],
    state: str,
    store: str,
    production: Output[Artifact],
    metrics: Output[Metrics],
) -> str:
    """Let the gate judge a package and, where it says so, bring it into store and production.

    It judges for itself, as nobody knows what was promoted meanwhile. `state` is the folder of
    verdicts and ledger, on a volume that outlives the run; `store` the model store that servers
    follow: a folder, an address such as s3://models/houses, or nothing for a folder in `state`.
    Returns the verdict. `production` is a bundle of what is in production then, as `tunegate
    export` writes it.
    """
    import json
    import subprocess
    import sys
    from pathlib import Path

    program = [sys.executable, "-m", "tunegate"]
    where = ["--data", str(Path(data.path) / "data.toml"), "--state", state]
    if store:
        where += ["--store", store]
    done = subprocess.run(
        [*program, "promote", "--package", model.path, *where, "--json"],
        check=False,
        stdout=subprocess.PIPE,
    )
    if done.returncode not in {0, 10, 11, 12}:  # docs/cli.md: the verdicts
        raise SystemExit(done.returncode)
    verdict = json.loads(done.stdout)
    metrics.log_metric("promoted", float(verdict["verdict"] == "promote"))
    subprocess.run([*program, "export", production.path, *where], check=True)
    found: str = verdict["verdict"]
    return found


@component
def report(run: Input[Artifact], page: Output[HTML]) -> None:
    """Write the report of a search: its history, its trials, its parameters."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "tunegate", "report", "--state", run.path]
    subprocess.run([*command, "--output", page.path], check=True)


@component
def head(table: Input[Dataset], rows: int) -> str:
    """Print the first rows of a CSV file."""
    import pandas as pd

    first = pd.read_csv(table.path).head(rows).to_string()
    print(first)
    return first
