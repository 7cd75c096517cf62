"""From a file to the first prediction: tunegate, AutoGluon, FLAML and scikit-learn by hand.

One system runs at a time. What is finished is kept in `.cache/tables/compare.json`; the same
command again continues, and prints the table of docs/benchmarks.md.

    python -m benchmarks.tables.compare --trials 4 [--tables housing hdma] [--systems by_hand]
    python -m benchmarks.tables.compare --trials 20 --models all lightgbm random_forest

With `--models` only tunegate runs, once for each learner, and its rows name learner and trials;
`--flaml-as "all, 20"` then gives FLAML the time of such a row.
"""

import argparse
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, root_mean_squared_error

from benchmarks.tables.environments import CACHE, ROOT, NotInstalled, interpreter_of
from benchmarks.tables.processes import run_measured
from benchmarks.tables.public import TABLES, PublicTable, fetch_table

RESULTS = CACHE / "compare.json"
RIVALS = Path(__file__).parent / "rivals"
SCRIPTS = {"by_hand": "by_hand", "flaml": "flaml_automl", "autogluon": "autogluon_medium"}
SYSTEMS = ("by_hand", "tunegate", "flaml", "autogluon")  # FLAML gets the time that tunegate took
LEAST_SECONDS = 10.0
UNTIMED = 60.0  # seconds for FLAML where tunegate has not run


@dataclass(frozen=True, slots=True)
class Result:
    """What one system did with one table.

    Attributes:
        error: on the fresh rows: RMSE, or log loss.
        seconds: from the command to the first prediction.
        memory: peak resident memory of its largest process, MiB.
        size: of the model on the disk, MiB.
        one_row: milliseconds for one row, in process.
        load: the machine's load when it began.
        note: why there are no numbers.
    """

    table: str
    system: str
    error: float = float("nan")
    seconds: float = float("nan")
    memory: float = float("nan")
    size: float = float("nan")
    one_row: float = float("nan")
    load: float = float("nan")
    note: str = ""


def main() -> None:
    """Run what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--trials", type=int, help="of tunegate; by default as many as it plans")
    parser.add_argument("--models", nargs="+", default=[], help="learners, or `all`")
    parser.add_argument("--flaml-as", help="a row of tunegate's whose time FLAML gets")
    arguments = parser.parse_args()
    systems = [each for each in SYSTEMS if each in arguments.systems]
    if arguments.models:
        systems = [f"{model}, {arguments.trials}" for model in arguments.models]
    if arguments.flaml_as:
        systems = [f"flaml as {arguments.flaml_as}"]
    results = _kept_results()
    for name in arguments.tables:
        table = fetch_table(name)
        for system in systems:
            if (name, system) in results:
                continue
            timed = results.get((name, arguments.flaml_as or "tunegate"))
            budget = max(LEAST_SECONDS, timed.seconds if timed else UNTIMED)
            result = _run_system(system, table, arguments.trials, budget)
            results[name, system] = replace(result, load=os.getloadavg()[0])
            rows = [asdict(each) for each in results.values()]
            RESULTS.write_text(json.dumps(rows, indent=1))
            print(results[name, system], file=sys.stderr)
    print(_as_markdown(list(results.values())))


def _kept_results() -> dict[tuple[str, str], Result]:
    if not RESULTS.exists():
        return {}
    rows = [Result(**row) for row in json.loads(RESULTS.read_text())]
    return {(row.table, row.system): row for row in rows}


def _run_system(system: str, table: PublicTable, trials: int | None, budget: float) -> Result:
    folder = CACHE / "runs" / f"{table.name}-{system}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        if system.startswith("flaml"):
            return _run_rival(system, table, folder, budget, script="flaml")
        if system in SCRIPTS:
            return _run_rival(system, table, folder, budget, script=system)
        model = "" if system == "tunegate" else system.partition(",")[0]
        return _run_tunegate(table, folder, trials, system, model)
    except (NotInstalled, LookupError, OSError, ValueError) as error:
        return Result(table.name, system, note=f"{type(error).__name__}: {error}")


def _run_rival(
    system: str, table: PublicTable, folder: Path, budget: float, *, script: str
) -> Result:
    python = Path(sys.executable) if script == "by_hand" else interpreter_of(script)
    job = [table.training, table.fresh, table.target, table.task, str(budget), folder]
    cost = run_measured(
        [python, RIVALS / f"{SCRIPTS[script]}.py", *job], folder=folder, log=folder / "log.txt"
    )
    if cost.code:
        raise ValueError(f"exit code {cost.code}, see {folder}")
    told = json.loads(cost.output.splitlines()[-1])
    models = [file for file in folder.rglob("*") if file.is_file()]
    ours = {"predicted.csv", "log.txt", "log.out"}
    size = sum(file.stat().st_size for file in models if file.name not in ours)
    return Result(
        table.name,
        system,
        error=_error(table, folder),
        seconds=told["first"],
        memory=cost.memory,
        size=size / 2**20,
        one_row=1000 * told["one_row"],
    )


def _run_tunegate(
    table: PublicTable, folder: Path, trials: int | None, system: str, model: str
) -> Result:
    command = [sys.executable, "-m", "tunegate"]
    run = ["run", table.training, "--target", table.target, "--no-serve", "--state", folder]
    if trials:
        run += ["--trials", str(trials)]
    if model:
        run += ["--model", model]
    run += ["--port", "8790"]
    paths = {"PYTHONPATH": str(ROOT)}
    searched = run_measured(
        [*command, *run], folder=folder, log=folder / "log.txt", variables=paths
    )
    one = folder / "one.csv"
    pd.read_csv(table.fresh).head(1).to_csv(one, index=False)
    predict = ["predict", one, "--state", folder]
    first = run_measured(
        [*command, *predict], folder=folder, log=folder / "first.txt", variables=paths
    )
    if first.code:
        raise ValueError(f"exit codes {searched.code} and {first.code}, see {folder}")
    script = RIVALS / "tunegate_model.py"
    predicted = run_measured(
        [sys.executable, script, folder, table.fresh, table.target, folder],
        folder=folder,
        log=folder / "predict.txt",
        variables=paths,
    )
    told = json.loads(predicted.output.splitlines()[-1])
    return Result(
        table.name,
        system,
        error=_error(table, folder),
        seconds=searched.seconds + first.seconds,
        memory=max(searched.memory, first.memory),
        size=told["size"] / 2**20,
        one_row=1000 * told["one_row"],
    )


def _error(table: PublicTable, folder: Path) -> float:
    """Return RMSE or log loss on the fresh rows."""
    observed = pd.read_csv(table.fresh)[table.target]
    predicted = pd.read_csv(folder / "predicted.csv")
    if table.task == "regression":
        return float(root_mean_squared_error(observed, predicted.iloc[:, 0]))
    labels = sorted(predicted.columns)
    shares = predicted[labels].to_numpy()
    shares /= shares.sum(axis=1, keepdims=True)
    return float(log_loss(observed.astype(str), np.clip(shares, 1e-15, 1), labels=labels))


def _as_markdown(results: list[Result]) -> str:
    lines = [
        "| table | system | error on fresh rows | seconds | peak MiB | model, MiB | one row, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in TABLES:
        for row in results:
            if row.table != name:
                continue
            if row.note:
                lines.append(f"| {name} | {row.system} | {row.note} | | | | |")
                continue
            lines.append(
                f"| {name} | {row.system} | {row.error:.4g} | {row.seconds:.0f} "
                f"| {row.memory:.0f} | {row.size:.2g} | {row.one_row:.2g} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
