"""A trial on a large table, compared with pandas and scikit-learn by hand on the same file.

Both read the file, cross-validate on four fifths of the rows, fit on all of them, and use one core
with the same forest. The trial also hashes each row for its split, profiles the columns, and writes
a package; `--no-importances`, because the other one measures none.

    python -m benchmarks.tables.size                     1,000,000 rows x 21 columns
    python -m benchmarks.tables.size --grow docs/table-growth.svg   cost against rows and columns
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.growth_plot import Panel, draw
from benchmarks.tables.processes import Cost, run_measured

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "tables"
FOREST = {"n_estimators": 20, "max_depth": 8, "max_features": 0.4, "max_samples": 0.1}
FOLDS = 3
ROWS_OF_GROWTH = (10_000, 30_000, 100_000, 300_000, 1_000_000)
COLUMNS_OF_GROWTH = (20, 100, 300, 1_000)
FEW_COLUMNS = 20
FEW_ROWS = 5_000
BY_HAND = """
import json, sys
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_score, train_test_split

settings, folds = json.loads(sys.argv[2]), int(sys.argv[3])
frame = pd.read_csv(sys.argv[1])
x, _, y, _ = train_test_split(frame.drop(columns="y"), frame["y"], test_size=0.2, random_state=0)
forest = RandomForestRegressor(**settings, random_state=0)
splits = KFold(folds, shuffle=True, random_state=0)
print(-cross_val_score(forest, x, y, cv=splits, scoring="neg_mean_squared_error").mean())
forest.fit(x, y)
"""
PROFILE = """
import sys, time
import pandas as pd
from trainer.profile import profile_table

frame = pd.read_csv(sys.argv[1])
began = time.process_time()
profile_table(frame, target="y")
print(time.process_time() - began)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one table took.

    Attributes:
        trial: our trial on it.
        by_hand: pandas and scikit-learn on it.
        profile: CPU seconds of the profile alone.
    """

    trial: Cost
    by_hand: Cost
    profile: float


def main() -> None:
    """Measure, print a table, and draw the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=FEW_COLUMNS)
    parser.add_argument("--grow", type=Path, help="an SVG file to draw; lists of sizes, not one")
    arguments = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    print(
        "| rows x columns | CPU s, trial : by hand | peak MiB, trial : by hand | profile, CPU s |"
    )
    print("|---|---|---|---|")
    if not arguments.grow:
        _measure(arguments.rows, arguments.columns)
        return
    by_columns = [_measure(FEW_ROWS, columns) for columns in COLUMNS_OF_GROWTH]
    by_rows = [_measure(rows, FEW_COLUMNS) for rows in ROWS_OF_GROWTH]
    panels = [
        *_panels("Rows, of 21 columns", ROWS_OF_GROWTH, by_rows),
        *_panels("Columns, of 5,000 rows", COLUMNS_OF_GROWTH, by_columns),
    ]
    drawing = draw("A trial and the same by hand, against the table's size", panels)
    arguments.grow.write_text(drawing, encoding="utf-8")


def _measure(rows: int, columns: int) -> Measured:
    path = _make_table(rows, columns)
    by_hand = _run_by_hand(path)
    trial = _run_trial(path)
    profile = float(_checked(_python(["-c", PROFILE, path], "profile")).output)
    cpu = _ratio(trial.cpu, by_hand.cpu)
    memory = _ratio(trial.memory, by_hand.memory)
    print(f"| {rows:,} x {columns + 1:,} | {cpu} | {memory} | {profile:.1f} |", flush=True)
    return Measured(trial, by_hand, profile)


def _panels(title: str, sizes: Sequence[int], measured: Sequence[Measured]) -> list[Panel]:
    trials = [each.trial for each in measured]
    by_hand = [each.by_hand for each in measured]
    cpu = {
        "trial": [cost.cpu for cost in trials],
        "by hand": [cost.cpu for cost in by_hand],
    }
    memory = {
        "trial": [cost.memory for cost in trials],
        "by hand": [cost.memory for cost in by_hand],
    }
    profile = {"profile": [max(each.profile, 0.01) for each in measured]}
    return [
        Panel(title, "CPU s", sizes, cpu),
        Panel(title, "peak MiB", sizes, memory),
        Panel(title, "CPU s of the profile", sizes, profile),
    ]


def _make_table(rows: int, columns: int) -> Path:
    path = CACHE / f"numbers-{rows}-{columns}.csv"
    if not path.exists():
        rng = np.random.default_rng(0)
        x = rng.normal(size=(rows, columns)).round(4)
        y = 3 * x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=rows)
        frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(columns)])
        frame.assign(y=y.round(4)).to_csv(path, index=False)
    path.with_suffix(".toml").write_text(
        f'name = "numbers"\nsource = "{path.name}"\ntarget = "y"\ntask = "regression"\n'
    )
    return path


def _run_by_hand(path: Path) -> Cost:
    return _checked(_python(["-c", BY_HAND, path, json.dumps(FOREST), str(FOLDS)], "by-hand"))


def _run_trial(path: Path) -> Cost:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in FOREST.items()]
    output = CACHE / "package"
    command = ["-m", "trainer", "--data", path.with_suffix(".toml"), f"--folds={FOLDS}", *flags]
    return _checked(_python([*command, "--no-importances", "--output", output], "trial"))


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours:.0f} : {theirs:.0f} = **{ours / theirs:.2f}**"


def _python(words: list[str | Path], name: str) -> Cost:
    return run_measured([sys.executable, *words], folder=ROOT, log=CACHE / f"{name}.log")


def _checked(cost: Cost) -> Cost:
    if cost.code:
        raise SystemExit(f"failed with {cost.code}: see {CACHE}")
    return cost


if __name__ == "__main__":
    main()
