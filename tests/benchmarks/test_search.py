"""Searches on lookup tables: exact tables, a simulator honest about time, kept searches."""

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from benchmarks.search import fresh, runs
from benchmarks.search.data import REGRESSION, Data
from benchmarks.search.gated import choose_candidate, in_production
from benchmarks.search.grid import DEPTH, LEAF, MAX_FEATURES, MAX_SAMPLES, SPLIT, WHOLE, Grid
from benchmarks.search.report import searched_table
from benchmarks.search.runs import finished_searches
from benchmarks.search.samplers import HERE, Entry, Rival, ready_factory
from benchmarks.search.simulate import MODES, Run, Trial, simulate_search
from benchmarks.search.tables import Table, fitted_losses
from benchmarks.search.truncation import fold_losses
from katib.search.sampler import Assignments

GRID = Grid(("squared_error",))
POINT = {
    "max_features": "0.49",
    "min_samples_leaf": "4",
    "min_samples_split": "2",
    "max_depth": "30",
    "bootstrap": "true",
    "max_samples": "0.93",
}


def rows(task: str, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.random((100, columns)).astype(np.float32)
    y = np.sin(6 * x[:, 0]) + rng.normal(0, 0.2, 100)
    return x, y if task == "regression" else np.digitize(y, [0.0, 0.7]).astype(float)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table of made-up losses."""
    for module in (runs, fresh):
        monkeypatch.setattr(module, "CACHE", tmp_path)
    losses = np.random.default_rng(0).random((*GRID.shape, 5), dtype=np.float32)
    x, y = rows("regression")
    return Table(Data("made-up", "regression", 2, x, y - 10, REGRESSION[:1]), losses)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("bootstrap", [True, False])
@pytest.mark.parametrize("leaf", [1, 4])
def test_a_truncated_forest_loses_what_one_fitted_directly_loses(
    task: str,
    bootstrap: bool,  # noqa: FBT001 - pytest's parameter
    leaf: int,
) -> None:
    # One column: then a split has no choice, and the trees must be the very same.
    x, y = rows(task)
    training = np.arange(70)
    test = np.arange(70, 100)
    kind = RandomForestRegressor if task == "regression" else RandomForestClassifier
    common = {
        "n_estimators": 5,
        "random_state": 3,
        "bootstrap": bootstrap,
        "min_samples_leaf": leaf,
    }
    depths = (2, 4, 30)
    splits = (2, 5, 17)
    found = fold_losses(x, y, (training, test), common, task=task, cuts=(depths, splits))
    for (i, depth), (j, split) in product(enumerate(depths), enumerate(splits)):
        forest = kind(max_depth=depth, min_samples_split=split, **common).fit(
            x[training], y[training]
        )
        if task == "regression":
            direct = np.mean((forest.predict(x[test]) - y[test]) ** 2)
        else:
            share = forest.predict_proba(x[test])[np.arange(30), y[test].astype(int)]
            direct = np.mean(-np.log(np.clip(share, 1e-15, 1)))
        assert found[i, j] == pytest.approx(direct, rel=1e-12)


def test_a_place_of_the_grid_is_fitted_with_its_own_settings() -> None:
    x, y = rows("regression", columns=4)
    data = Data("tiny", "regression", 3, x, y - y.min(), REGRESSION)
    fold = (np.arange(70), np.arange(70, 100))
    place = (1, 3, 2, 4)
    found = fitted_losses(data, place, [fold], seed=7)
    forest = RandomForestRegressor(
        3,
        criterion="poisson",
        max_features=0.45,
        min_samples_leaf=3,
        max_samples=0.8,
        random_state=7,
    ).fit(x[:70], data.y[:70])
    assert found.shape == (len(DEPTH), len(SPLIT), 1)
    assert found[-1, 0, 0] == pytest.approx(
        np.mean((forest.predict(x[70:]) - data.y[70:]) ** 2), rel=1e-6
    )


def test_the_nearest_cell_is_near_on_the_scale_of_each_axis() -> None:
    cell = GRID.cell(POINT)
    assert cell == (
        0,
        MAX_FEATURES.index(0.45),
        LEAF.index(5),
        1 + MAX_SAMPLES.index(0.9),
        DEPTH.index(30),
        0,
    )
    assert GRID.cell({**POINT, "bootstrap": "false"}) == GRID.cell(
        {**POINT, "bootstrap": "false", "max_samples": "0.5"}
    )
    assert GRID.cell({**POINT, "bootstrap": "false"})[3] == WHOLE


def test_a_tables_default_is_scikit_learns_and_is_where_a_search_begins(table: Table) -> None:
    with ready_factory(Entry.parse("random+first")) as factory:
        run = simulate_search(factory.make(table, 0), table.loss, "a1", trials=2, seed=0)
    begin = run.trials[0].assignments
    assert begin["min_samples_leaf"] == "1"
    assert begin["bootstrap"] == "true"
    assert run.trials[0].loss == table.default
    assert table.minimum <= table.default


class Watcher:
    """Draws at random and notes what it has been told at each request."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.told: list[tuple[int, list[int]]] = []

    def ask(self, trials: Sequence[Trial], count: int) -> tuple[list[Assignments], float]:
        self.told.append(
            (len(trials), [place for place, trial in enumerate(trials) if trial.loss is not None])
        )
        return [{"x": repr(float(self.rng.random()))} for _ in range(count)], 0.0


def watch(mode: str, seed: int, trials: int) -> tuple[Watcher, Run]:
    watcher = Watcher(seed)
    return watcher, simulate_search(
        watcher, lambda point: float(point["x"]), mode, trials=trials, seed=seed
    )


@settings(max_examples=30)
@given(mode=st.sampled_from(sorted(MODES)), seed=st.integers(0, 99), trials=st.integers(1, 25))
def test_a_sampler_is_told_what_has_ended_and_nothing_before_its_time(
    mode: str, seed: int, trials: int
) -> None:
    watcher, run = watch(mode, seed, trials)
    assert len(run.trials) == trials
    for asked, told in watcher.told:
        now = run.trials[asked].begun
        assert told == [
            i for i, trial in enumerate(run.trials[:asked]) if (trial.ended or 0) <= now
        ]
        assert asked - len(told) < MODES[mode][0]
        assert not MODES[mode][1] or asked == len(told)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_the_same_seed_gives_the_same_search(table: Table, mode: str) -> None:
    def search(seed: int) -> list[Trial]:
        with ready_factory(Entry.parse("tpe")) as factory:
            return simulate_search(
                factory.make(table, seed), table.loss, mode, trials=12, seed=seed
            ).trials

    assert search(1) == search(1)
    assert search(1) != search(2)


def test_a_rival_is_told_each_trial_once_in_the_order_of_ends(tmp_path: Path) -> None:
    program = tmp_path / "rival.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, wire\n"
        "class Echo:\n"
        "    def __init__(self, parameters, message): self.told = []\n"
        "    def tell(self, told): self.told += [place for place, _, _ in told]\n"
        "    def ask(self, count): print('noise'); "
        "return [{'told': json.dumps(self.told)}] * count\n"
        "wire.serve(Echo)\n"
    )
    trials = [Trial({}, 0.0, 1.0, 3.0), Trial({}, 0.0), Trial({}, 0.0, 1.0, 2.0)]
    command = [sys.executable, str(program)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    ) as process:
        rival = Rival(process, Entry.parse("skopt"), GRID.parameters(), 0, {})
        assert [json.loads(point["told"]) for point in rival.ask(trials, 2)[0]] == [[2, 0], [2, 0]]
        trials[1].loss = 1.0
        trials[1].ended = 4.0
        assert [json.loads(point["told"]) for point in rival.ask(trials, 1)[0]] == [[2, 0, 1]]


def test_finished_searches_are_kept_and_only_missing_ones_run(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry.parse("random")
    one = finished_searches(entry, [table], ["a4"], seeds=range(1), trials=10)
    both = finished_searches(entry, [table], ["a4"], seeds=range(2), trials=10)
    assert both[0] == one[0]
    assert [record.seed for record in both] == [0, 1]
    assert len((tmp_path / "runs" / "random.jsonl").read_text().splitlines()) == 2
    assert (
        finished_searches(entry, [table], ["a4"], seeds=range(3), trials=10, known_only=True)
        == both
    )
    monkeypatch.setattr(Entry, "version", lambda _: "other")
    assert (
        finished_searches(entry, [table], ["a4"], seeds=range(3), trials=10, known_only=True)
        == both
    )
    other = finished_searches(entry, [table], ["a4"], seeds=range(1), trials=10)
    assert [record.version for record in other] == ["other"]
    assert (
        finished_searches(entry, [table], ["a4"], seeds=range(3), trials=10, known_only=True)
        == other
    )
    ranked = sorted(zip(both[0].losses, both[0].cells, strict=True), key=lambda pair: pair[0])
    assert both[0].best(10) == list(dict.fromkeys(tuple(cell) for _, cell in ranked))
    assert f"| random | 2 | {np.mean([min(r.losses) for r in both]):.4g} [" in searched_table(
        table, "a4", {"random": both}, []
    )


def test_a_winner_is_scored_on_folds_that_the_table_has_not_seen(table: Table) -> None:
    first, again = (fresh.fresh_loss(table, table.default_cell) for _ in range(2))
    assert first == again
    assert 0 < first != table.default
    assert 0 < fresh.fresh_loss(table, table.default_cell, (5,)) not in {first, table.default}


def test_of_finalists_the_best_on_folds_of_their_own_is_the_candidate(table: Table) -> None:
    default = table.default_cell
    smooth, coarse = ((0, default[1], LEAF.index(rows), *default[3:]) for rows in (3, 20))
    assert (
        choose_candidate(table, [coarse, smooth], 5)
        == choose_candidate(table, [smooth, coarse], 5)
        == smooth
    )
    assert (
        choose_candidate(table, [coarse, smooth], 1)
        == choose_candidate(table, [default, coarse], 5)
        == coarse
    )
    assert choose_candidate(table, [default], 5) == default


def test_the_gate_lets_a_winner_pass_that_is_better_on_other_folds_and_keeps_the_default_else(
    table: Table,
) -> None:
    default = table.default_cell
    smooth, coarse = ((0, default[1], LEAF.index(rows), *default[3:]) for rows in (3, 20))
    assert in_production(table, smooth) == smooth, "leaves of one row follow the noise"
    assert in_production(table, coarse) == in_production(table, default) == default


def test_a_name_that_is_no_sampler_is_refused() -> None:
    with pytest.raises(SystemExit, match="no sampler is called 'nobody'"):
        Entry.parse("nobody")
    entry = Entry.parse("tpe:n_ei_candidates=5,random_state=1@uniform+first")
    assert (entry.settings, entry.log, entry.first) == (
        {"n_ei_candidates": "5", "random_state": "1"},
        False,
        True,
    )
