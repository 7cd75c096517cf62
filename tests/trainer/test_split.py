"""The split: rows keep their side, equal rows stay together, fingerprints identify data sets."""

import io
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.registry.toy_data import homes

from trainer import DataError, split
from trainer.dataset import load_dataset
from trainer.spec import SplitSpec
from trainer.split import SplitTarget, row_hashes, split_rows

Write = Callable[..., str]
COLUMNS = ("count", "size", "flag", "text", "y")
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-9, 9)),
        st.one_of(st.none(), st.floats(-10, 10, width=16)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.text("xyz", min_size=1, max_size=2)),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=30,
)
BY_ID = '[split]\nby = ["id"]\n[columns.id]\ntype = "numeric"'


def held_out(frame: pd.DataFrame, spec: SplitSpec) -> NDArray[np.bool_]:
    training, holdout = split_rows(frame, row_hashes(frame), spec)
    assert sorted([*training, *holdout]) == list(range(len(frame)))
    return np.isin(np.arange(len(frame)), holdout)


def as_read(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))


@settings(max_examples=60, deadline=None)
@given(
    rows=ROWS, more=ROWS, seed=st.integers(0, 2**32 - 1), order=st.randoms(use_true_random=False)
)
def test_a_row_keeps_its_side_when_rows_are_appended_and_reordered(
    rows: list[tuple[object, ...]], more: list[tuple[object, ...]], seed: int, order: Random
) -> None:
    spec = SplitSpec(holdout=0.5, seed=seed)
    grown = [*enumerate(rows), *((None, row) for row in more)]
    order.shuffle(grown)
    before = held_out(as_read(rows), spec)
    after = held_out(as_read([row for _, row in grown]), spec)
    assert all(
        side == before[number]
        for (number, _), side in zip(grown, after, strict=True)
        if number is not None
    )


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 2**32 - 1))
def test_equal_rows_stay_together(rows: list[tuple[object, ...]], seed: int) -> None:
    sides = held_out(as_read([*rows, *reversed(rows)]), SplitSpec(holdout=0.5, seed=seed))
    assert sides[: len(rows)].tolist() == sides[len(rows) :][::-1].tolist()


@pytest.mark.parametrize(
    "column",
    [[None, None, "x"], [None, None, 1.5], [None, True, None], ["x", None, "y"], [1, None, 2]],
)
def test_a_row_with_a_gap_is_known_again_whatever_the_other_rows_hold(column: list[object]) -> None:
    alone = pd.read_csv(io.StringIO("a,b\n,5\n"))
    among = pd.read_csv(io.StringIO(pd.DataFrame({"a": column, "b": 5}).to_csv(index=False)))
    gaps = row_hashes(among)[[value is None for value in column]]
    assert set(gaps) == set(row_hashes(alone))
    assert len(set(row_hashes(among))) == len({str(value) for value in column})


@pytest.mark.parametrize("values", [[0.0, -0.0], [float("nan"), -float("nan")], [1, 1.0]])
def test_two_spellings_of_a_number_are_one(values: list[float]) -> None:
    assert len(set(row_hashes(pd.DataFrame({"a": values})))) == 1


@pytest.mark.parametrize(
    "values", [["a", "b"], ["x", None], [0.0, None], [True, False], [1.0, 1.0 + 2**-52]]
)
def test_different_rows_have_different_hashes(values: list[object]) -> None:
    assert len(set(row_hashes(pd.DataFrame({"a": values})))) == 2


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_about_the_asked_share_is_held_out(share: float) -> None:
    frame = pd.DataFrame({"a": np.arange(4000)})
    assert held_out(frame, SplitSpec(holdout=share)).mean() == pytest.approx(share, abs=0.03)
    assert held_out(frame, SplitSpec(method="seeded", holdout=share)).mean() == pytest.approx(
        share, abs=0.001
    )


@pytest.mark.parametrize("method", ["hash", "seeded"])
def test_another_seed_makes_another_split_and_the_same_seed_the_same(method: str) -> None:
    frame = pd.DataFrame({"a": np.arange(200)})
    one, same, other = (
        held_out(frame, SplitSpec.model_validate({"method": method, "seed": s})) for s in (1, 1, 2)
    )
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_groups_are_not_torn_apart() -> None:
    frame = pd.DataFrame({"street": np.arange(600) % 60, "house": np.arange(600)})
    held = pd.Series(held_out(frame, SplitSpec(by=("street",))))
    sides = held.groupby(frame["street"]).nunique()
    assert set(sides) == {1}
    assert 0 < held.mean() < 0.5


def test_a_row_keeps_its_side_when_what_is_not_hashed_is_mended(
    write: Write, table: pd.DataFrame
) -> None:
    before = load_dataset(write(table, BY_ID))
    after = load_dataset(write(table.assign(y=-table["y"]), BY_ID))
    assert set(before.holdout.table["id"]) == set(after.holdout.table["id"])
    assert set(before.holdout.rows).isdisjoint(after.holdout.rows)


@pytest.mark.parametrize("by", [(), ("a", "id")])
def test_the_order_of_the_columns_does_not_count(table: pd.DataFrame, by: tuple[str, ...]) -> None:
    hashes = row_hashes(table, by)
    assert hashes.tolist() == row_hashes(table[["y", "b", "a", "id"]], by[::-1]).tolist()
    assert len(set(hashes)) == len(table)


def test_rows_that_stand_on_both_sides_are_refused_and_the_hash_split_keeps_them_together(
    write: Write, table: pd.DataFrame
) -> None:
    twins = pd.concat([table, table])
    with pytest.raises(
        DataError, match=r"^\d+ row\(s\) are in both the training part and the holdout\n"
    ) as caught:
        load_dataset(write(twins, '[split]\nmethod = "seeded"'))
    assert 'method = "hash"' in caught.value.hint
    data = load_dataset(write(twins))
    assert len(data.training.y) + len(data.holdout.y) == len(twins)


def test_the_order_of_the_file_changes_nothing_for_the_hash_split(write: Write) -> None:
    frame = homes()
    one = load_dataset(write(frame, target="price"))
    other = load_dataset(write(frame.sample(frac=1, random_state=1), target="price"))
    assert (one.fingerprint, one.holdout_digest) == (other.fingerprint, other.holdout_digest)
    np.testing.assert_array_equal(one.matrix(one.training), other.matrix(other.training))
    np.testing.assert_array_equal(one.training.y, other.training.y)


def test_the_order_of_the_file_is_part_of_the_fingerprint_for_the_seeded_split(
    write: Write, table: pd.DataFrame
) -> None:
    seeded = '[split]\nmethod = "seeded"'
    one = load_dataset(write(table, seeded))
    assert one.fingerprint == load_dataset(write(table, seeded)).fingerprint
    assert one.fingerprint != load_dataset(write(table.iloc[::-1], seeded)).fingerprint


@pytest.mark.parametrize(
    ("change", "more", "fields"),
    [
        ({"a": lambda t: t["a"].where(t["id"] != 7, 9.5)}, "", {}),
        ({"y": lambda t: t["y"].where(t["id"] != 7, 2)}, "", {}),
        ({}, "", {"target": "a"}),
        ({}, "", {"metric": "mae"}),
        ({}, "", {"task": "classification"}),
        ({}, "", {"drop": ["b"]}),
        ({}, "", {"features": ["a", "b"]}),
        ({}, "", {"features": ["id", "b", "a"]}),
        ({}, '[columns.group]\ntype = "categorical"', {}),
        ({}, '[columns.flag]\ntype = "boolean"', {}),
        ({}, "[split]\nseed = 1", {}),
        ({}, "[split]\nholdout = 0.3", {}),
        ({}, "[split]\nholdout = 0.2000000001", {}),
        ({}, BY_ID, {}),
        ({}, '[split]\nmethod = "seeded"', {}),
    ],
)
def test_the_fingerprint_changes_with_all_that_is_learned_from(
    write: Write, table: pd.DataFrame, change: dict[str, Any], more: str, fields: dict[str, object]
) -> None:
    plain = table.assign(y=table["id"] % 2, group=table["id"] % 5, flag=table["id"] % 2)
    before = load_dataset(write(plain)).fingerprint
    assert load_dataset(write(plain.assign(**change), more, **fields)).fingerprint != before


def test_the_fingerprint_changes_when_a_row_goes(write: Write, table: pd.DataFrame) -> None:
    assert (
        load_dataset(write(table)).fingerprint != load_dataset(write(table.iloc[:-1])).fingerprint
    )


def test_the_fingerprint_does_not_change_with_words(write: Write, table: pd.DataFrame) -> None:
    plain = load_dataset(write(table)).fingerprint
    assert (
        load_dataset(write(table, name="other", notes="words", prediction="guess")).fingerprint
        == plain
    )


def test_the_holdouts_digest_depends_on_the_held_rows_alone(
    write: Write, table: pd.DataFrame
) -> None:
    one = load_dataset(write(table))
    other = load_dataset(write(table, metric="mae"))
    assert one.holdout_digest == other.holdout_digest
    assert one.holdout_digest != load_dataset(write(table, "[split]\nseed = 1")).holdout_digest


STRATIFIED = SplitSpec(method="stratified", holdout=0.25)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6),
    holdout=st.floats(0.05, 0.6),
    seed=st.integers(0, 999),
)
def test_each_class_gets_its_share_to_less_than_a_row(
    sizes: list[int], holdout: float, seed: int
) -> None:
    y = np.repeat(np.arange(len(sizes)), sizes).astype(np.float64)
    frame = pd.DataFrame({"a": np.arange(len(y)), "y": y})
    spec = SplitSpec(method="stratified", holdout=holdout, seed=seed)
    _, held = split_rows(frame, row_hashes(frame), spec, SplitTarget(y, classes=True))
    counts = np.bincount(y[held].astype(int), minlength=len(sizes))
    assert (np.abs(counts - holdout * np.array(sizes)) <= 1).all()
    assert abs(len(held) - holdout * len(y)) <= 0.5


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(20, 300), seed=st.integers(0, 999))
def test_each_quantile_of_a_number_gets_its_share(rows: int, seed: int) -> None:
    y = np.random.default_rng(seed).lognormal(size=rows)
    frame = pd.DataFrame({"y": y})
    target = SplitTarget(y, classes=False)
    _, held = split_rows(frame, row_hashes(frame), STRATIFIED, target)
    assert abs(len(held) - 0.25 * rows) <= 0.5
    upper = y > np.median(y)
    assert abs(upper[held].sum() - 0.25 * upper.sum()) <= 4


def test_groups_and_equal_rows_are_on_one_side_of_a_stratified_split() -> None:
    frame = pd.DataFrame({"street": np.arange(600) % 60, "y": np.arange(600) % 7})
    spec = SplitSpec(method="stratified", by=("street",), seed=3)
    for classes in (True, False):
        target = SplitTarget(frame["y"].to_numpy(np.float64), classes=classes)
        _, held = split_rows(frame, row_hashes(frame), spec, target)
        sides = pd.Series(np.isin(np.arange(600), held)).groupby(frame["street"]).nunique()
        assert set(sides) == {1}
        assert 0.1 < len(held) / 600 < 0.3


def test_rows_added_to_a_stratified_split_move_few_others(write: Write) -> None:
    frame = homes(400)
    split = '[split]\nmethod = "stratified"'
    before = load_dataset(write(frame.head(380), split, target="price"))
    after = load_dataset(write(frame, split, target="price"))
    moved = np.isin(before.holdout.rows, after.training.rows).sum()
    assert moved <= 10


def times(rows: int = 200) -> pd.DataFrame:
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) // 4, unit="D")
    frame = homes(rows).assign(day=days.strftime("%Y-%m-%d"))
    return frame.sample(frac=1, random_state=0)


@pytest.mark.parametrize("as_number", [True, False])
def test_the_holdout_of_a_split_by_time_is_the_latest_part(
    write: Write, *, as_number: bool
) -> None:
    frame = times()
    if as_number:
        frame = frame.assign(day=pd.to_datetime(frame["day"]).dt.day_of_year)
    data = load_dataset(write(frame, '[split]\ntime = "day"', target="price", drop=["day"]))
    assert data.spec.split.method == "time"
    assert data.training.time is not None
    assert data.holdout.time is not None
    assert data.training.time.max() < data.holdout.time.min()
    assert len(data.holdout.y) == 40
    assert (np.diff(data.training.time) >= 0).all()


@pytest.mark.parametrize(("cell", "problem"), [("soon", "'soon' is not a time"), (None, "no time")])
def test_a_cell_that_is_no_time_is_named_with_its_line(
    write: Write, cell: str | None, problem: str
) -> None:
    frame = times().reset_index(drop=True)
    frame.loc[[4, 9], "day"] = cell
    with pytest.raises(DataError, match=rf"^column day, line 6: {problem} \(2 in all\)\n"):
        load_dataset(write(frame, '[split]\ntime = "day"', target="price", drop=["day"]))


def test_one_time_alone_cannot_be_split(write: Write) -> None:
    with pytest.raises(DataError, match="every row has the same day"):
        load_dataset(
            write(times().assign(day=7), '[split]\ntime = "day"', target="price", drop=["day"])
        )


def test_a_rows_hash_is_what_packages_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(
        {
            "a": [1.5, -0.0, None],
            "b": ["x", None, "y"],
            "c": [True, False, True],
            "d": np.array([True, None, 2.0], dtype=object),
        }
    )
    wanted = [2198242558920086076, 5714590819187065300, 9331357131564775985]
    assert row_hashes(frame).tolist() == wanted
    assert row_hashes(frame.astype({"b": object, "c": object})).tolist() == wanted
    monkeypatch.setattr(split, "CHUNK", 2)
    assert row_hashes(frame).tolist() == wanted
