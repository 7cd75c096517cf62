"""Markdown tables from finished searches; intervals are 95 % bootstraps over seeds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.fresh import fresh_loss
from benchmarks.search.gated import choose_candidate, in_production
from benchmarks.search.runs import Record
from benchmarks.search.tables import Table
from promote.policy import GatePolicy

BUDGETS = (10, 20, 40)
RESAMPLES = 2000
REFERENCE = "skopt"  # whose result at the last budget the others are to reach
FINALISTS = GatePolicy().finalists
WINNER, KEPT, CANDIDATE, CHAMPION = STAGES = (
    "winners",
    "winners, where the gate lets them pass",
    "best of the finalists",
    "best of the finalists, where the gate lets it pass",
)
Floats = NDArray[np.float64]


def about_tables(tables: Sequence[Table]) -> str:
    """Say what each table holds and whether tuning matters on it."""
    heads = [
        "table",
        "rows, columns",
        "loss",
        "default",
        "minimum",
        "minimum / default",
        "quartiles / default",
    ]
    lines = [markdown_row(heads), markdown_row(["---"] * len(heads))]
    for table in tables:
        loss = "mse" if table.data.task == "regression" else "log loss"
        low, mid, high = np.quantile(table.means, [0.25, 0.5, 0.75]) / table.default
        lines.append(
            f"| {table.name} | {table.data.x.shape[0]}, {table.data.x.shape[1]} | {loss} "
            f"| {_format_number(table.default)} | {_format_number(table.minimum)} "
            f"| {table.minimum / table.default:.3f} | {low:.2f}, {mid:.2f}, {high:.2f} |"
        )
    return "\n".join(lines)


def searched_table(
    table: Table, mode: str, records: dict[str, list[Record]], reference: list[Record]
) -> str:
    """Compare what the searches found on their own folds.

    Args:
        records: the searches of each sampler on this table in this mode.
        reference: those whose result is to be reached, in any mode; may be empty.
    """
    target = _best_so_far(reference)[-1] if reference else None
    budgets = [
        n for n in BUDGETS if n <= min(len(run.losses) for runs in records.values() for run in runs)
    ]
    goal = f", {REFERENCE} after its last trial {_format_number(target)}" if target else ""
    heads = [
        *(f"best of {n}" for n in budgets),
        f"trials to reach {REFERENCE}",
        "CPU ms a point: all, last ten",
    ]
    levels = (
        f"default {_format_number(table.default)}, minimum {_format_number(table.minimum)}{goal}"
    )
    lines = [
        f"**{table.name}, {mode}** ({levels})\n",
        markdown_row(["sampler", "n", *heads]),
        markdown_row(["---"] * (len(heads) + 2)),
    ]
    for sampler, runs in records.items():
        means = [_mean_interval([min(run.losses[:n]) for run in runs]) for n in budgets]
        lines.append(
            markdown_row(
                [
                    sampler,
                    str(len(runs)),
                    *means,
                    _trials_to_reach(_best_so_far(runs), target),
                    _cost_per_point(runs),
                ]
            )
        )
    return "\n".join(lines)


def rescored_table(
    table: Table,
    mode: str,
    records: dict[str, list[Record]],
    budgets: Sequence[int],
    stage: str = WINNER,
) -> str:
    """Compare a search's result, up to a stage, with scikit-learn's default on fresh folds."""
    default = fresh_loss(table, table.default_cell)
    title = (
        f"**{table.name}, {mode}: {stage}, on fresh folds**, "
        f"as a share of the default's {_format_number(default)}"
    )
    heads = [head for n in budgets for head in (f"best of {n}", "worse than the default")]
    lines = [
        f"{title}\n",
        markdown_row(["sampler", "n", *heads]),
        markdown_row(["---"] * (len(heads) + 2)),
    ]
    for sampler, runs in records.items():
        cells = []
        for n in budgets:
            shares = [
                fresh_loss(table, _cell_at_stage(table, run, n, stage)) / default for run in runs
            ]
            cells += [_mean_interval(shares), str(sum(share > 1 for share in shares))]
        lines.append(markdown_row([sampler, str(len(runs)), *cells]))
    return "\n".join(lines)


def _cell_at_stage(table: Table, run: Record, trials: int, stage: str) -> Sequence[int]:
    """The cell that a search of so many trials has brought up to this stage."""
    ranked = run.best(trials)
    chosen = ranked[0]
    if stage in {CANDIDATE, CHAMPION}:
        chosen = choose_candidate(table, ranked, FINALISTS)
    if stage in {KEPT, CHAMPION}:
        return in_production(table, chosen)
    return chosen


def markdown_row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _best_so_far(runs: Sequence[Record]) -> Floats:
    """The mean over runs of the best loss so far, by number of trials."""
    best: Floats = np.minimum.accumulate([run.losses for run in runs], axis=1).mean(axis=0)
    return best


def _trials_to_reach(curve: Floats, target: float | None) -> str:
    """The number of trials after which the mean is as good as the target."""
    if target is None:
        return "-"
    places = np.flatnonzero(curve <= target)
    if places.size:
        return str(places[0] + 1)
    return f"> {len(curve)}"


def _cost_per_point(runs: Sequence[Record]) -> str:
    """CPU milliseconds a point: over the whole search, and for the last ten points."""
    points, seconds = (
        np.array([[r[i] for r in run.requests] for run in runs], dtype=float) for i in (0, 1)
    )
    late = np.cumsum(points, axis=1) > points.sum(axis=1, keepdims=True) - 10
    whole = 1000 * seconds.sum() / points.sum()
    last = 1000 * seconds[late].sum() / points[late].sum()
    return f"{whole:.1f}, {last:.1f}"


def _mean_interval(values: Sequence[float]) -> str:
    """The mean and its 95 % interval."""
    rng = np.random.default_rng(0)
    sample = np.asarray(values, dtype=float)
    means = rng.choice(sample, (RESAMPLES, len(sample))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{_format_number(sample.mean())} [{_format_number(low)}, {_format_number(high)}]"


def _format_number(value: float) -> str:
    """Four significant digits."""
    return np.format_float_positional(value, precision=4, fractional=False, trim="k").rstrip(".")
