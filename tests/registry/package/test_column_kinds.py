"""The table of column kinds: what each kind means to trainer, server, clients and page."""

import tracemalloc
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from support.registry.packages import COLUMNS

from api.codecs.rows import Encoder
from registry.package import COLUMN_KINDS, Column
from registry.package.columns import FLOAT32_MAX, Kind
from trainer.cells import CELL_READERS

ROOMS, RIVER, ZONE = COLUMNS  # a nullable number, a nullable boolean, categories a and b
RIGHT: dict[str, list[Any]] = {
    "rooms": [0, -2.5, FLOAT32_MAX, None],
    "river": [True, False, None],
    "zone": ["a", "b"],
}
WRONG: dict[str, list[Any]] = {
    "rooms": ["1", True, 1e39, -1e39, [], {}],
    "river": [0, 1, "true", 0.0, []],
    "zone": ["c", "A", "", 0, True, None, []],
}


@pytest.mark.parametrize("table", [COLUMN_KINDS, CELL_READERS])
def test_every_kind_that_a_manifest_may_name_is_in_the_table(table: dict[str, Any]) -> None:
    assert tuple(table) == get_args(Kind)


@pytest.mark.parametrize("name", COLUMN_KINDS)
def test_a_kind_is_found_by_its_own_name(name: str) -> None:
    assert COLUMN_KINDS[name].name == name


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_cell_that_fits_is_taken_by_both_libraries(column: Column) -> None:
    cell_type = COLUMN_KINDS[column.kind].cell_type(column)
    for cell in RIGHT[column.name]:
        text = msgspec.json.encode(cell)
        assert msgspec.json.decode(text, type=cell_type) == cell
        assert TypeAdapter(cell_type).validate_python(cell) == cell
        assert TypeAdapter(cell_type).validate_json(text) == cell


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_cell_that_does_not_fit_is_refused_by_both_libraries(column: Column) -> None:
    cell_type = COLUMN_KINDS[column.kind].cell_type(column)
    for cell in WRONG[column.name]:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode(cell), type=cell_type)
        with pytest.raises(ValidationError):
            TypeAdapter(cell_type).validate_python(cell)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_null_is_a_cell_only_where_training_had_gaps(column: Column) -> None:
    cell_type = COLUMN_KINDS[column.kind].cell_type(column.replace(nullable=False))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"null", type=cell_type)
    with pytest.raises(ValidationError):
        TypeAdapter(cell_type).validate_python(None)


def test_a_number_must_be_finite() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        TypeAdapter(COLUMN_KINDS["numeric"].cell_type(ROOMS)).validate_python(float("nan"))


def test_both_libraries_document_the_limits_of_a_number() -> None:
    cell_type = COLUMN_KINDS["numeric"].cell_type(ROOMS.replace(nullable=False))
    limits = {"type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX}
    assert TypeAdapter(cell_type).json_schema() == limits
    assert msgspec.json.schema(cell_type) == limits


def test_a_kind_is_shown_as_one_tensor_datatype_and_may_take_others() -> None:
    shown = {name: kind.tensor_datatype for name, kind in COLUMN_KINDS.items()}
    texts = dict.fromkeys(["categorical", "datetime", "text"], "BYTES")
    assert shown == {"numeric": "FP64", "boolean": "BOOL", **texts}
    assert all(kind.tensor_datatype in kind.tensor_datatypes for kind in COLUMN_KINDS.values())
    sizes = ("16", "32", "64")
    numbers = {f"{family}{bits}" for family in ("FP", "INT", "UINT") for bits in sizes}
    assert set(COLUMN_KINDS["numeric"].tensor_datatypes) == numbers | {"INT8", "UINT8"}
    assert COLUMN_KINDS["numeric"].tensor_datatypes == tuple(sorted(numbers | {"INT8", "UINT8"}))


def test_each_kind_has_a_widget_of_its_own() -> None:
    widgets = {name: kind.widget for name, kind in COLUMN_KINDS.items()}
    assert widgets == {
        "numeric": "number",
        "boolean": "switch",
        "categorical": "select",
        "datetime": "datetime",
        "text": "textarea",
    }


def test_features_are_named_by_column_and_category() -> None:
    names = [COLUMN_KINDS[column.kind].feature_names(column) for column in COLUMNS]
    assert names == [["rooms"], ["river"], ["zone=a", "zone=b"]]


def test_the_features_of_each_possible_cell_are_those_that_encoding_gives() -> None:
    features = COLUMN_KINDS["categorical"].cell_features(ZONE)
    assert features
    for cell in (None, "a", "b", "unknown"):
        assert ZONE.encode([cell]).tolist() == [list(features[cell])]
    assert COLUMN_KINDS["numeric"].cell_features(ROOMS) is None
    assert COLUMN_KINDS["boolean"].cell_features(RIVER) is None


def test_the_tables_of_a_column_grow_in_proportion_to_its_categories() -> None:
    sizes = []
    for n in (25, 100):
        texts = tuple(f"category {i:03}" for i in range(n))
        columns = [Column(name=f"c{i}", kind="categorical", categories=texts) for i in range(50)]
        tracemalloc.start()
        encoder = Encoder(columns)
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(encoder.pack(("category 007",) * 50)) == 4 * 50 * n
    assert sizes[1] < 5 * sizes[0]  # a table of each by each would be 16 times as large


def test_a_column_is_described_by_its_training_values() -> None:
    numbers = np.array([3.0, 1.0, 10.0])
    flags = np.array([True, False, True], dtype=object)
    texts = np.array(["b", "a", "b"], dtype=object)
    described = [
        COLUMN_KINDS[column.kind].describe(values)
        for column, values in zip(COLUMNS, [numbers, flags, texts], strict=True)
    ]
    assert described == [
        {"minimum": 1.0, "maximum": 10.0, "typical": 3.0},
        {"typical": True},
        {"typical": "b", "categories": ("a", "b"), "other": False},
    ]


def test_missing_training_values_are_nan_nat_or_none() -> None:
    gaps = {
        "numeric": np.array([np.nan, 0.0]),
        "boolean": np.array([None, False], dtype=object),
        "categorical": np.array([None, ""], dtype=object),
        "datetime": np.array([None, "1970-01-01"], dtype="M8[us]"),
        "text": np.array([None, ""], dtype=object),
    }
    for name, kind in COLUMN_KINDS.items():
        assert kind.is_missing(gaps[name]).tolist() == [True, False]
