"""The profile of sixty tables as people bring them: what is dropped, reported, and left alone."""

import pandas as pd
import pytest
from support.tables import MadeTable, made_tables

from trainer.profile import TableProfile, profile_table

TABLES = [pytest.param(made, id=f"{made.name}-{len(made.frame)}") for made in made_tables()]


def profiled(made: MadeTable) -> TableProfile:
    return profile_table(made.frame, target=made.target)


@pytest.mark.parametrize("made", TABLES)
def test_exactly_the_right_columns_are_dropped_and_reported(made: MadeTable) -> None:
    found = profiled(made)
    assert {column.name for column in found.dropped} == made.dropped
    assert {column.name for column in found.kept if column.reason} == made.suspicious


@pytest.mark.parametrize("made", TABLES)
def test_task_dates_and_missing_texts_are_found(made: MadeTable) -> None:
    found = profiled(made)
    assert found.target.task == made.task
    assert found.dates == made.dates
    certain = {(marker.column, marker.text) for marker in found.markers if marker.certain}
    assert certain == {(name, text) for name, texts in made.missing.items() for text in texts}


@pytest.mark.parametrize("made", TABLES)
def test_the_order_of_the_rows_does_not_count(made: MadeTable) -> None:
    shuffled = made.frame.sample(frac=1, random_state=1).reset_index(drop=True)
    again = profile_table(shuffled, target=made.target)
    assert {column.name for column in again.dropped} == made.dropped


@pytest.mark.parametrize("price", ["1,014 €", "€1,014", "1 014 $", "1,014 EUR", "14 %"])
def test_prices_with_a_currency_are_no_classes(price: str) -> None:
    prices = [price.replace("14", f"{number}") for number in range(100, 140)]
    frame = pd.DataFrame({"size": [float(number) / 3 for number in range(40)], "price": prices})
    assert profile_table(frame, target="price").target.task == "regression"
