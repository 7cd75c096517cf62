"""Columns of numbers, and of true and false."""

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from registry.package.column_kinds.kind import (
    FLOAT32_MAX,
    CellArray,
    ColumnFields,
    ColumnKind,
    PydanticRules,
    most_frequent,
)

Number = Annotated[
    float,
    Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX),
    PydanticRules(strict=True, allow_inf_nan=False, ge=-FLOAT32_MAX, le=FLOAT32_MAX),
]
Flag = Annotated[bool, PydanticRules(strict=True)]


class NumericKind(ColumnKind):
    """A number; one feature."""

    name = "numeric"
    json_type = "number"
    tensor_datatype = "FP64"
    tensor_datatypes = (
        *("FP16", "FP32", "FP64"),
        *("INT16", "INT32", "INT64", "INT8"),
        *("UINT16", "UINT32", "UINT64", "UINT8"),
    )
    widget = "number"
    has_range = True
    present_type = Number

    def is_missing(self, values: CellArray) -> NDArray[np.bool_]:
        missing: NDArray[np.bool_] = np.isnan(values)
        return missing

    def describe(self, present: CellArray) -> ColumnFields:
        low, median, high = np.quantile(present, [0, 0.5, 1], method="nearest").tolist()
        return {"minimum": low, "maximum": high, "typical": median}


class BooleanKind(ColumnKind):
    """True or false; one feature, 1 or 0."""

    name = "boolean"
    json_type = "boolean"
    tensor_datatype = "BOOL"
    tensor_datatypes = ("BOOL",)
    widget = "switch"
    present_type = Flag

    def describe(self, present: CellArray) -> ColumnFields:
        return {"typical": most_frequent(present.tolist())}
