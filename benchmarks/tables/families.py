"""One learner or all of them: what searches of 20 and 40 trials find on eight tables.

    python -m benchmarks.tables.families [--tables housing] [--models all xgboost] [--minutes 60]

Each search is `tg.tune` with 40 trials, whose first 20 are the search of 20. The best of the five
best trials, as the gate's finalists are compared, is scored on folds that neither has used: three
repetitions of five. Of a table at most 1,000 rows are taken, drawn by chance. What is finished is
kept in `benchmarks/tables/families.json`; the same command again continues. It prints the table of
docs/benchmarks.md.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import tunegate as tg
from benchmarks.tables.environments import CACHE
from benchmarks.tables.public import TABLES, fetch_table
from katib.objects import Ranked
from promote import GatePolicy
from promote.finalists import Contender, score_finalists
from promote.verdict import best_finalist
from trainer.dataset import load_dataset
from tunegate.promotion.candidates import distinct_best_trials, ranked_trials
from tunegate.promotion.evaluation import make_evaluation
from tunegate.study.study import Study

RESULTS = Path(__file__).with_name("families.json")
TRIALS = (20, 40)
MOST_ROWS = 1000
FRESH = (9001, 9002, 9003)
FOLDS = 5
ALL = "all"
LINEAR = {"regression": "ridge", "classification": "logistic"}
TREES = ("random_forest", "hist_gradient_boosting", "lightgbm", "xgboost")


@dataclass(frozen=True, slots=True)
class Result:
    """What one search found.

    Attributes:
        trials: how many it had.
        model: the learner that was searched, or `all`.
        chosen: the winner's learner.
        loss: on fresh folds: mean squared error, or log loss.
        seconds: of the whole search, its 40 trials; the machine may have had other work.
    """

    table: str
    model: str
    trials: int
    chosen: str
    loss: float
    seconds: float


def main() -> None:
    """Run what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--models", nargs="+", default=[*TREES, "linear", ALL])
    parser.add_argument("--minutes", type=float, help="begin no search after this time")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * (arguments.minutes or float("inf"))
    results = _kept_results()
    for table in arguments.tables:
        for named in arguments.models:
            model = LINEAR[TABLES[table][2]] if named == "linear" else named
            if any((each.table, each.model) == (table, model) for each in results):
                continue
            if time.monotonic() > end:
                break
            results += _search(table, model)
            RESULTS.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n")
            print(results[-1], file=sys.stderr)
    print(as_markdown(results))


def _kept_results() -> list[Result]:
    if not RESULTS.exists():
        return []
    return [Result(**row) for row in json.loads(RESULTS.read_text())]


def _search(table: str, model: str) -> list[Result]:
    state = CACHE / "families" / f"{table}-{model}"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    public = fetch_table(table)
    frame = pd.read_csv(public.training)
    frame = frame.sample(min(MOST_ROWS, len(frame)), random_state=0)
    path = state / f"{table}.csv"
    frame.to_csv(path, index=False)
    started = time.monotonic()
    study = tg.tune(path, target=public.target, trials=max(TRIALS), model=model, state=state)
    seconds = time.monotonic() - started
    return [_judge(study, table, model, trials, seconds) for trials in TRIALS]


def _judge(study: Study, table: str, model: str, trials: int, seconds: float) -> Result:
    """Score the winner of the first trials on fresh folds."""
    settings = study.workspace.settings
    dataset = load_dataset(settings.data, include=settings.include)
    data = make_evaluation(dataset)
    policy = GatePolicy()
    first = set(study.trials["trial"].head(trials))
    ranked: list[Ranked] = [
        each for each in ranked_trials(study.workspace, study.folder) if each.trial in first
    ]
    found = distinct_best_trials(study.workspace, ranked)
    contenders = [each for each in found if isinstance(each, Contender)]
    winner = contenders[best_finalist(score_finalists(contenders, data, policy))]
    losses = data.out_of_fold(winner.manifest, list(FRESH), FOLDS)
    return Result(
        table=table,
        model=model,
        trials=trials,
        chosen=winner.manifest.algorithm,
        loss=float(np.nanmean(losses)),
        seconds=seconds,
    )


def as_markdown(results: Sequence[Result]) -> str:
    """Return each search's error, divided by the forest's of as many trials, and their means."""
    by_search = {(each.table, each.trials, _column(each)): each for each in results}
    models = list(dict.fromkeys(_column(each) for each in results))
    others = [model for model in models if model not in (TREES[0], ALL)]
    lines = [
        f"| table | trials | {TREES[0]} | {' | '.join(others)} | {ALL} | took | {ALL} / best |",
        "|" + "---|" * (len(others) + 6),
    ]
    for trials in TRIALS:
        rows = [
            row
            for table in TABLES
            if (row := _row(by_search, table, trials, [TREES[0], *others, ALL]))
        ]
        lines += [row.as_markdown() for row in rows]
        if rows:
            lines.append(_mean_row(rows, trials))
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Row:
    """A table's searches of one length, all of which have ended."""

    table: str
    trials: int
    forest: float
    ratios: tuple[float, ...]  # of the other learners and of all, to the forest
    took: str

    @property
    def to_best(self) -> float:
        """The error of the search over all, divided by the best single learner's."""
        *alone, of_all = self.ratios
        return of_all / min(1.0, *alone)

    def as_markdown(self) -> str:
        shown = " | ".join(f"{ratio:.3f}" for ratio in self.ratios)
        return (
            f"| {self.table.replace('_', ' ')} | {self.trials} | {self.forest:.4g} | {shown} "
            f"| {self.took} | {self.to_best:.3f} |"
        )


def _row(
    by_search: Mapping[tuple[str, int, str], Result],
    table: str,
    trials: int,
    models: Sequence[str],
) -> _Row | None:
    found = [by_search.get((table, trials, model)) for model in models]
    ended = [each for each in found if each]
    if len(ended) < len(models):
        return None
    errors = [_error(each) for each in ended]
    ratios = tuple(error / errors[0] for error in errors[1:])
    return _Row(table, trials, errors[0], ratios, ended[-1].chosen)


def _error(result: Result) -> float:
    """Return RMSE, in the target's unit, or log loss."""
    squared = TABLES[result.table][2] == "regression"
    return float(np.sqrt(result.loss)) if squared else result.loss


def _mean_row(rows: Sequence[_Row], trials: int) -> str:
    columns = np.array([[*row.ratios, row.to_best] for row in rows])
    *means, to_best = np.exp(np.log(columns).mean(axis=0)).tolist()
    shown = " | ".join(f"**{mean:.3f}**" for mean in means)
    return f"| geometric mean of {len(rows)} | {trials} | | {shown} | | **{to_best:.3f}** |"


def _column(result: Result) -> str:
    return "linear" if result.model in LINEAR.values() else result.model


if __name__ == "__main__":
    main()
