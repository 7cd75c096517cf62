"""Folds: rows that belong together stay together, and nothing looks ahead in time."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold

from trainer import TrainerError
from trainer.dataset import Dataset, load_dataset
from trainer.folds import Fold, cross_validation_folds, expanding_windows, shuffled_folds

Write = Callable[..., str]


def lists(folds: list[Fold]) -> list[tuple[list[int], list[int]]]:
    return [(fold.training.tolist(), fold.test.tolist()) for fold in folds]


def assert_each_row_is_tested_once(folds: list[Fold], rows: int) -> None:
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(rows))
    for fold in folds:
        assert sorted([*fold.training, *fold.test]) == list(range(rows))


@pytest.mark.parametrize(("data", "kind"), [("boston", KFold), ("iris", StratifiedKFold)])
def test_rows_on_their_own_are_divided_as_scikit_learn_does(
    data: str, kind: type[KFold] | type[StratifiedKFold]
) -> None:
    loaded = load_dataset(data)
    y = loaded.training.y
    wanted = kind(n_splits=5, shuffle=True, random_state=7).split(y[:, None], y)
    if data == "iris":  # it has two equal rows
        loaded = Dataset(**{**as_fields(loaded), "training": loaded.training.take(unique(loaded))})
        y = loaded.training.y
        wanted = kind(n_splits=5, shuffle=True, random_state=7).split(y[:, None], y)
    found = cross_validation_folds(loaded, n=5, seed=7)
    assert lists(found) == [(a.tolist(), b.tolist()) for a, b in wanted]


def as_fields(data: Dataset) -> dict[str, object]:
    return {name: getattr(data, name) for name in Dataset.__slots__}


def unique(data: Dataset) -> np.ndarray:
    return np.unique(data.training.rows, return_index=True)[1]


@given(
    groups=st.lists(st.integers(0, 12), min_size=40, max_size=80),
    classes=st.booleans(),
    seed=st.integers(0, 999),
)
def test_no_group_is_on_both_sides(groups: list[int], *, classes: bool, seed: int) -> None:
    together = np.array(groups, dtype=np.uint64)
    y = np.arange(len(groups)) % 2 * 1.0
    n = 2
    if len(np.unique(together)) < n:
        return
    folds = shuffled_folds(y, n=n, seed=seed, classes=classes, together=together)
    assert_each_row_is_tested_once(folds, len(groups))
    for fold in folds:
        assert set(together[fold.training]).isdisjoint(together[fold.test])


def test_equal_rows_are_in_one_fold(write: Write, table: pd.DataFrame) -> None:
    data = load_dataset(write(pd.concat([table, table, table.head(40)])))
    folds = cross_validation_folds(data, n=5, seed=0)
    rows = data.training.rows
    assert_each_row_is_tested_once(folds, len(rows))
    for fold in folds:
        assert set(rows[fold.training]).isdisjoint(rows[fold.test])


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_groups_of_the_split_are_groups_of_the_folds(
    write: Write, table: pd.DataFrame, task: str
) -> None:
    streets = table.assign(street=table["id"] // 4, y=table["id"] % 3)
    data = load_dataset(write(streets, '[split]\nby = ["street"]', task=task))
    for fold in cross_validation_folds(data, n=5, seed=3):
        streets_of = [set(data.training.table["street"][side]) for side in fold]
        assert streets_of[0].isdisjoint(streets_of[1])


@pytest.mark.parametrize("classes", [True, False])
def test_folds_are_decided_by_their_seed(*, classes: bool) -> None:
    y = np.arange(60) % 3 * 1.0
    first, same, other = (
        lists(shuffled_folds(y, n=5, seed=seed, classes=classes)) for seed in (4, 4, 5)
    )
    assert first == same
    assert first != other


def test_folds_keep_the_shares_of_the_classes() -> None:
    y = np.repeat([0.0, 1.0], [80, 20])
    folds = shuffled_folds(y, n=5, seed=0, classes=True)
    assert [int(y[fold.test].sum()) for fold in folds] == [4] * 5


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("together", [None, np.arange(16, dtype=np.uint64) // 2])
def test_more_folds_than_the_data_have_rows_for_are_refused(
    *, classes: bool, together: np.ndarray | None
) -> None:
    with pytest.raises(TrainerError, match=r"^20 folds are too many for these data: ") as caught:
        shuffled_folds(np.arange(16) % 2 * 1.0, n=20, seed=0, classes=classes, together=together)
    assert caught.value.hint == "use fewer folds"


@given(
    times=st.lists(st.integers(0, 60), min_size=60, max_size=200, unique=False),
    n=st.integers(2, 5),
    seed=st.integers(0, 999),
)
def test_expanding_windows_never_look_ahead(times: list[int], n: int, seed: int) -> None:
    time = np.unique(times, return_inverse=True)[1]
    try:
        folds = expanding_windows(time, n=n, seed=seed)
    except TrainerError as error:
        assert "different times are too few" in str(error)  # noqa: PT017 - either is right
        return
    assert len(folds) == n
    before = 0
    for fold in folds:
        assert time[fold.training].max() < time[fold.test].min()
        assert len(fold.training) > before
        before = len(fold.training)
    tested = np.concatenate([fold.test for fold in folds])
    assert len(np.unique(tested)) == len(tested)
    assert time[tested].max() == time.max()


def test_another_seed_moves_the_edges_of_the_windows() -> None:
    time = np.arange(300)
    starts = {expanding_windows(time, n=5, seed=seed)[0].test[0] for seed in range(10)}
    assert len(starts) > 5
    assert all(30 < start < 70 for start in starts)


def test_too_few_times_are_refused() -> None:
    with pytest.raises(TrainerError, match=r"4 different times are too few") as caught:
        expanding_windows(np.arange(80) // 20, n=5, seed=0)
    assert caught.value.hint == "use fewer folds"
