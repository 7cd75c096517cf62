import math
from typing import Any

import numpy as np
import pytest
from support.registry.packages import COLUMNS

from registry.package import Column, encode
from registry.record import InvalidRecord

LARGEST = float(np.finfo(np.float32).max)
ROOMS, RIVER, ZONE = COLUMNS


def test_a_number_becomes_one_float32_feature() -> None:
    encoded = ROOMS.encode([1, 0.1, -2.5])
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[1.0], [float(np.float32(0.1))], [-2.5]]


@pytest.mark.parametrize("column", [ROOMS, RIVER])
@pytest.mark.parametrize("missing", [None, math.nan, np.float64("nan")])
def test_a_missing_number_or_boolean_is_nan(column: Column, missing: Any) -> None:  # noqa: ANN401 - a cell
    assert np.isnan(column.encode([missing])).all()


def test_a_boolean_becomes_zero_or_one() -> None:
    assert RIVER.encode([True, False, np.True_]).tolist() == [[1.0], [0.0], [1.0]]


def test_a_category_becomes_one_feature_each() -> None:
    assert ZONE.encode(["a", "b"]).tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("value", [None, math.nan, "c", "A", ""])
def test_a_missing_or_unknown_category_is_all_zeros(value: Any) -> None:  # noqa: ANN401 - a cell
    assert ZONE.encode([value]).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("value", [LARGEST, -LARGEST])
def test_the_largest_float32_fits(value: float) -> None:
    assert ROOMS.encode([value]).item() == value


@pytest.mark.parametrize(
    "value",
    [
        np.nextafter(LARGEST, math.inf),
        -1e39,
        math.inf,
        -math.inf,
        pytest.param(10**400, id="10**400"),
    ],
)
def test_a_number_that_does_not_fit_float32_is_refused_by_its_columns_name(value: float) -> None:
    with pytest.raises(ValueError, match="column rooms: a value is too large for float32"):
        ROOMS.encode([0.0, value])


def test_text_in_a_column_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        ROOMS.encode([1.0, "many"])


def test_a_tables_features_stand_in_the_columns_order() -> None:
    table = {
        "zone": ["b", "a"],
        "river": [True, None],
        "rooms": np.array([6.0, 7.0]),
        "unused": [1, 2],
    }
    assert np.array_equal(encode(COLUMNS, table), [[6, 1, 0, 1], [7, np.nan, 1, 0]], equal_nan=True)


def test_no_rows_keep_the_width() -> None:
    assert encode(COLUMNS, {"zone": [], "river": [], "rooms": []}).shape == (0, 4)


def test_a_column_that_the_table_lacks_is_named() -> None:
    with pytest.raises(KeyError, match="zone"):
        encode(COLUMNS, {"rooms": [1.0], "river": [True]})


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="dimension"):
        encode(COLUMNS, {"rooms": [1.0, 2.0], "river": [True], "zone": ["a"]})


def test_a_column_round_trips_through_json() -> None:
    assert [Column.parse(column.to_json()) for column in COLUMNS] == list(COLUMNS)


@pytest.mark.parametrize("forged", [{"kind": "text"}, {"minimum": math.inf}, {"scale": 2}])
def test_a_column_of_another_format_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        Column.checked({"name": "rooms", "kind": "numeric", **forged})
