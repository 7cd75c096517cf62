"""The kind of a column, by what its cells say."""

import pandas as pd
import pytest

from registry.package.columns import Kind
from trainer.cells import infer_kind

SENTENCES = [f"flat number {number} with a door" for number in range(30)]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2, None], "numeric"),
        ([1.5, 2.5], "numeric"),
        (pd.array([1, None], dtype="Int64"), "numeric"),
        ([True, False], "boolean"),
        ([True, None, False], "boolean"),
        (pd.array([True, None], dtype="boolean"), "boolean"),
        (["true", "FALSE", "True", None], "boolean"),
        (["yes", "no", "Yes"], "boolean"),
        (["yes", "no", "yes"], "categorical"),
        (["Y", "N", "Y"], "categorical"),
        (["t", "f"], "categorical"),
        (pd.to_datetime(["2026-01-01", None]), "datetime"),
        (pd.to_datetime(["2026-01-01T00:00:00Z"]), "datetime"),
        (["2026-01-01", "2026-12-31", None], "datetime"),
        (["2026-01-01T10:00:00+02:00", "2026-01-01 10:00"], "datetime"),
        (["2026-01-01", "soon"], "categorical"),
        (["2026-02-30", "2026-01-01"], "categorical"),
        (["red", "blue", None], "categorical"),
        (pd.Categorical(["2026-01-01"]), "categorical"),
        ([f"c{number}" for number in range(200)], "categorical"),
        (SENTENCES, "text"),
        (SENTENCES[:2] * 20, "categorical"),
        ([None, None], "categorical"),
    ],
    ids=str,
)
def test_a_column_s_kind_follows_from_its_cells(cells: object, kind: Kind) -> None:
    assert infer_kind(pd.Series(cells, name="a")) == kind
