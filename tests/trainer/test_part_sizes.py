"""Rows that are too few: the error says which split is right for them, and that split loads."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from trainer import DataError
from trainer.dataset import load_dataset

Write = Callable[..., str]


def classes(rows: int, rare: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(rows) < rare, "rare", np.array(["a", "b"])[np.arange(rows) % 2])
    return pd.DataFrame({"x": rng.normal(size=rows), "y": labels})


def refusal(path: str) -> DataError:
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    return caught.value


def hint_if_refused(path: str) -> str:
    try:
        load_dataset(path)
    except DataError as error:
        return error.hint
    return ""


def pasted(hint: str) -> str:
    return "[split]\n" + "\n".join(re.findall(r"(?:method|holdout) = [\w.\"]+", hint))


@pytest.mark.parametrize("seed", range(8))
def test_sixty_rows_can_always_be_learned_from(
    write: Write, table: pd.DataFrame, seed: int
) -> None:
    small = table.sample(60, random_state=seed)
    hint = 'write method = "stratified" below [split]: 48 rows to learn from, 12 held out'
    assert hint_if_refused(write(small, '[split]\nmethod = "hash"')) in {"", hint}
    data = load_dataset(write(small, '[split]\nmethod = "stratified"'))
    assert (len(data.training.y), len(data.holdout.y)) == (48, 12)


@pytest.mark.parametrize("seed", range(8))
def test_a_split_that_nobody_stated_is_by_stratum_where_hashes_fall_badly(
    write: Write, table: pd.DataFrame, seed: int
) -> None:
    small = table.sample(60, random_state=seed)
    data = load_dataset(write(small))
    by_hash = hint_if_refused(write(small, '[split]\nmethod = "hash"')) == ""
    assert data.spec.split.method == ("hash" if by_hash else "stratified")
    noted = [note for note in data.notes if "the split is by stratum" in note]
    assert len(noted) == (0 if by_hash else 1)


@pytest.mark.parametrize(("rows", "share"), [(30, "0.34"), (35, "0.29"), (45, "0.23")])
def test_a_share_that_works_is_computed(
    write: Write, table: pd.DataFrame, rows: int, share: str
) -> None:
    error = refusal(write(table.head(rows), "[split]\nholdout = 0.05"))
    assert f'method = "stratified" and holdout = {share} below [split]' in error.hint
    load_dataset(write(table.head(rows), pasted(error.hint)))


def test_a_rare_class_that_lost_its_rows_keeps_them_in_the_stratified_split(write: Write) -> None:
    hashed = '[split]\nmethod = "hash"\nholdout = 0.35'
    splits = [f"{hashed}\nseed = {seed}" for seed in range(30)]
    hints = {
        hint_if_refused(write(classes(300, 8), split, task="classification")) for split in splits
    }
    assert hints == {"", 'write method = "stratified" below [split]: 5 of its 8 rows stay'}


@pytest.mark.parametrize("seed", range(10))
def test_eight_rows_of_a_class_are_enough(write: Write, seed: int) -> None:
    split = f'[split]\nmethod = "stratified"\nseed = {seed}'
    data = load_dataset(write(classes(1000, 8), split, task="classification"))
    rare = data.classes.index("rare")
    assert int((data.training.y == rare).sum()) in {6, 7}


def test_three_rows_of_a_class_are_never_enough(write: Write) -> None:
    split = '[split]\nmethod = "stratified"'
    error = refusal(write(classes(1000, 3), split, task="classification"))
    assert re.fullmatch(
        r"class 'rare': too few rows: [123] in the training part, at least 5 needed", str(error)
    )
    assert error.hint == (
        "collect more rows of this class (there are 3), join it with another, or remove its rows"
    )


def test_a_number_that_was_taken_for_classes_is_known_by_its_many_values(
    write: Write, table: pd.DataFrame
) -> None:
    error = refusal(write(table, task="classification"))
    assert re.match(r"\d+ of \d+ classes \('.+', '.+', '.+', \.\.\.\): too few rows: ", str(error))
    assert error.hint.endswith('if it is a number: task = "regression"')
