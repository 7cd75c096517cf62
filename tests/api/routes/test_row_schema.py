"""What rows of a request may hold, by the policy of their columns, and what is said of bad ones."""

from typing import Any

import pytest
from support.registry.packages import manifest

from api.codecs.json_body import load_json
from api.codecs.rows import Encoder
from api.problems import MAX_ERRORS, Problem
from api.routes.row_schema import RowSchema
from registry.package import Column, Manifest
from registry.package.manifest import TextRules

SIZE = Column(name="size", kind="numeric", minimum=0.0, maximum=9.0, typical=1.0)
AGE = Column(name="age", kind="numeric", on_unknown="missing")
ZONE = Column(name="zone", kind="categorical", categories=("a", "b"), typical="a")
TOWN = Column(name="town", kind="categorical", categories=("a", "b"), on_unknown="missing")
STREET = Column(name="street", kind="categorical", categories=("a", "b"), other=True)
SOLD = Column(name="sold", kind="datetime", parts=("elapsed", "hour"), minimum=0.0, maximum=1e9)
BUILT = Column(name="built", kind="datetime", parts=("elapsed",), nullable=True, maximum=0.0)
NOTES = Column(name="notes", kind="text", buckets=16)
COLUMNS = (SIZE, AGE, ZONE, TOWN, STREET, SOLD, BUILT, NOTES)
RULES = TextRules(missing=("", "NA"), strip=True)
GOOD: dict[str, Any] = {
    "size": 1.5,
    "age": 2.0,
    "zone": "a",
    "town": "b",
    "street": "a",
    "sold": "2001-01-01T10:00:00+02:00",
    "built": "1969-12-31",
    "notes": "two words",
}
ISO = "not an ISO 8601 date or time, such as 2026-11-30 or 2026-11-30T16:45:00Z"


@pytest.fixture(scope="module")
def schema() -> RowSchema:
    return RowSchema(
        Manifest.checked({**manifest(columns=COLUMNS, texts=RULES), "files": {}}),
    )


@pytest.mark.parametrize(
    ("name", "cell", "wanted"),
    [
        ("age", None, None),
        ("age", " NA", None),
        ("zone", " a\t", "a"),
        ("town", "z", None),
        ("town", "NA", None),
        ("town", None, None),
        ("street", " z ", "z"),
        ("sold", " 2026-11-30 ", "2026-11-30"),
        ("built", "", None),
        ("notes", "  NA or so ", "NA or so"),
    ],
)
def test_a_cell_is_read_by_its_columns_policy(
    schema: RowSchema, name: str, cell: object, wanted: object
) -> None:
    row = dict(zip(GOOD, schema.row({**GOOD, name: cell}), strict=True))
    assert row == {**GOOD, name: wanted}


@pytest.mark.parametrize(
    ("name", "cell", "problem"),
    [
        ("size", "3", "Input should be a valid number"),
        ("size", "NA", "'NA' is a missing value; training had none in this column"),
        ("size", None, "null is a missing value; training had none in this column"),
        ("age", "3", "Input should be a valid number"),
        ("zone", "z", "'z' is no category; there are a, b"),
        ("zone", "NA", "'NA' is no category; there are a, b"),
        ("zone", None, "null is no category; there are a, b"),
        ("zone", 3, "Input should be 'a' or 'b'"),
        ("town", 3, "Input should be a valid string"),
        ("street", " NA", "' NA' is a missing value; training had none in this column"),
        ("sold", "tomorrow", ISO),
        ("sold", "2026-02-30", ISO),
        ("sold", 1796057100, "Input should be a valid string"),
        ("built", "31.12.1969", ISO),
        ("notes", None, "null is a missing value; training had none in this column"),
        ("notes", "\\ud800", "has half of a surrogate pair"),
    ],
)
def test_a_cell_that_the_column_cannot_hold_is_refused_in_plain_words(
    schema: RowSchema, name: str, cell: object, problem: str
) -> None:
    if cell == "\\ud800":
        cell = load_json(b'"\\ud800"')
    with pytest.raises(Problem) as caught:
        schema.row({**GOOD, name: cell})
    (error,) = caught.value.errors
    assert error["field"] == name
    assert error["problem"].startswith(problem)


def test_columns_that_are_missing_or_not_the_models_are_named_in_plain_words(
    schema: RowSchema,
) -> None:
    row = {**GOOD, "price": 1, "colour": "red"}
    del row["size"]
    del row["age"]
    with pytest.raises(Problem) as caught:
        schema.row(row)
    assert {error["field"]: error["problem"] for error in caught.value.errors} == {
        "size": "is missing",
        "age": "is missing; null means no value",
        "price": "is what the model predicts: leave it out",
        "colour": "the model has no such column",
    }


def test_every_bad_row_of_a_list_is_named(schema: RowSchema) -> None:
    rows = [GOOD, {**GOOD, "size": "x"}, GOOD, {**GOOD, "zone": "z", "sold": "x"}]
    with pytest.raises(Problem) as caught:
        schema.rows(rows, "instances")
    fields = [error["field"] for error in caught.value.errors]
    assert fields == ["instances[1].size", "instances[3].zone", "instances[3].sold"]


def test_no_more_bad_rows_are_named_than_an_answer_holds(schema: RowSchema) -> None:
    with pytest.raises(Problem) as caught:
        schema.rows([{**GOOD, "size": "x"}] * (MAX_ERRORS + 9), "")
    assert len(caught.value.errors) == MAX_ERRORS


def test_a_date_outside_of_the_training_part_is_named_as_iso_text(schema: RowSchema) -> None:
    cells = schema.row({**GOOD, "sold": "2026-11-30", "built": "1970-01-02"})
    encoder = Encoder(COLUMNS)
    wanted = ["sold=2026-11-30T00:00:00Z outside 1970-01-01T00:00:00Z..2001-09-09T01:46:40Z"]
    assert encoder.warnings(cells) == wanted
    assert encoder.rows([cells]).warnings == wanted


def test_the_documentation_says_what_a_column_takes(schema: RowSchema) -> None:
    documented = schema.row_model.model_json_schema()["properties"]
    assert documented["sold"]["format"] == "date-time"
    assert {"type": "string", "format": "date"} in documented["built"]["anyOf"]
    assert documented["zone"]["enum"] == ["a", "b"]
    assert documented["town"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert documented["town"]["description"].endswith("any other text is a missing value")
    assert documented["street"]["type"] == "string"
    assert documented["street"]["description"].endswith("taken as one category more")
    assert documented["sold"]["x-training-maximum"] == "2001-09-09T01:46:40Z"
