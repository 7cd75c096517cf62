"""Checks and encodes the named tensors of a request, from JSON, binary data or gRPC alike.

The checks are as strict as those of rows for `/predict`. They work on whole arrays, so that ten
thousand rows cost a handful of numpy's calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from api.codecs.rows import MAX_WARNINGS, Rows, range_warnings
from api.problems import MAX_ERRORS, UNFIT, UNPROCESSABLE, Problem, refuse_fields
from registry.package import COLUMN_KINDS, Column
from registry.package.columns import FLOAT32_MAX, Cell
from registry.package.manifest import TextRules
from registry.package.text_reader import TextReader

Values = NDArray[Any]  # of a tensor's datatype
NUMBERS: Mapping[str, np.dtype[Any]] = {
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
FieldErrors = list[dict[str, str]]
MATRIX = 2  # dimensions
MOST_DIMENSIONS = 8
LARGEST = 1 << 31  # multiplying thousands of huge sizes would take hours


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor with its values in row-major order, flat.

    Attributes:
        name: the input's or output's name.
        datatype: as the protocol spells it: BOOL, BYTES, or one of `NUMBERS`.
        shape: its sizes; their product is the number of values.
        values: (n,) of the datatype, or float64 from JSON, where NaN is a missing number or
            boolean; for BYTES dtype object: a text each, or None where it is missing.
    """

    name: str
    datatype: str
    shape: Sequence[int]
    values: Values


def fault(name: str, problem: str) -> NoReturn:
    """Refuse a tensor.

    Raises:
        Problem: 422, always.
    """
    raise Problem(UNPROCESSABLE, UNFIT, errors=[{"field": name, "problem": problem}])


def faults(name: str, problems: Mapping[int, str]) -> None:
    """Refuse values of a tensor by their places; return if there are none.

    Raises:
        Problem: 422, naming `MAX_ERRORS` of them.
    """
    first = islice(problems.items(), MAX_ERRORS)
    refuse_fields([{"field": f"{name}[{i}]", "problem": problem} for i, problem in first])


def count(name: str, shape: Sequence[int]) -> int:
    """Return how many values a tensor of this shape has.

    Raises:
        Problem: 422 if the shape has no values, or a size or a number of sizes beyond the limits.
    """
    if not 1 <= len(shape) <= MOST_DIMENSIONS or not 1 <= min(shape) <= max(shape) <= LARGEST:
        fault(
            name,
            f"has shape {str(shape[:3])[:60]}...; each of a few sizes must be from 1 to {LARGEST}",
        )
    return prod(shape)


def known(name: str, datatype: str) -> str:
    """Return the datatype.

    Raises:
        Problem: 422 if the protocol has no such datatype, or this server does not accept it.
    """
    if datatype not in NUMBERS and datatype not in {"BOOL", "BYTES"}:
        fault(name, f"has datatype {datatype}, which is none of BOOL, BYTES, {', '.join(NUMBERS)}")
    return datatype


class Inputs:
    """Reads the tensors of requests for one model's columns."""

    def __init__(self, columns: Sequence[Column], rules: TextRules | None = None) -> None:
        self.columns = columns
        self._by_name = {column.name: column for column in columns}
        kinds = {column.name: COLUMN_KINDS[column.kind] for column in columns}
        self._kinds = kinds
        self._numeric = [column for column in columns if kinds[column.name].json_type != "string"]
        self._readers = {
            column.name: TextReader(column, rules or TextRules())
            for column in columns
            if kinds[column.name].json_type == "string"
        }
        self._nullable = np.array([column.takes_missing for column in self._numeric], dtype=bool)
        self._low = _bounds([column.minimum for column in self._numeric], -np.inf)
        self._high = _bounds([column.maximum for column in self._numeric], np.inf)

    def read(self, tensors: Sequence[Tensor]) -> Rows:
        """Encode the rows of a request.

        Args:
            tensors: one of shape [n, columns] in the columns' order, or one of [n] or [n, 1] for
                each column.

        Raises:
            Problem: 422, naming the tensor, and each value that is wrong.
        """
        if len(tensors) == 1 and tensors[0].name not in self._by_name:
            return self._read_matrix(tensors[0])
        found = self._match_columns(tensors)
        texts = {name: found[name].values for name in self._readers}
        if self._numeric:
            numbers = np.stack([found[column.name].values for column in self._numeric], axis=1)
        else:
            numbers = _no_numbers(len(tensors[0].values))
        return self._encode(numbers, texts, "")

    def _read_matrix(self, tensor: Tensor) -> Rows:
        for column in self.columns:
            if tensor.datatype not in self._kinds[column.name].tensor_datatypes:
                problem = f"{tensor.datatype} does not fit column {column.name}"
                fault(tensor.name, f"{problem}: send a tensor for each column")
        width = len(self.columns)
        if len(tensor.shape) != MATRIX or tensor.shape[1] != width:
            fault(tensor.name, f"has shape {list(tensor.shape)}; [rows, {width}] is expected")
        matrix = tensor.values.reshape(-1, width)
        if self._numeric:
            return self._encode(matrix, {}, tensor.name)
        texts = {column.name: matrix[:, i] for i, column in enumerate(self.columns)}
        return self._encode(_no_numbers(len(matrix)), texts, tensor.name)

    def _match_columns(self, tensors: Sequence[Tensor]) -> Mapping[str, Tensor]:
        found: dict[str, Tensor] = {}
        for tensor in tensors:
            if tensor.name in found:
                fault(tensor.name, "is there twice")
            if problem := self._misfit(tensor):
                fault(tensor.name, problem)
            found[tensor.name] = tensor
        if missing := [name for name in self._by_name if name not in found]:
            fault(missing[0], "is missing: each column needs a tensor")
        sizes = sorted({len(tensor.values) for tensor in tensors})
        if len(sizes) > 1:
            detail = f"the tensors have {sizes} rows; all must have the same number"
            raise Problem(UNPROCESSABLE, UNFIT, detail)
        return found

    def _misfit(self, tensor: Tensor) -> str:
        column = self._by_name.get(tensor.name)
        if column is None:
            return f"is no column of the model, which has {', '.join(self._by_name)}"
        if tensor.datatype not in self._kinds[column.name].tensor_datatypes:
            expected = " or ".join(self._kinds[column.name].tensor_datatypes)
            return f"has datatype {tensor.datatype}; {expected} is expected"
        if list(tensor.shape[1:]) not in ([], [1]):
            return f"has shape {list(tensor.shape)}; [rows] or [rows, 1] is expected"
        return ""

    def _encode(self, numbers: Values, texts: Mapping[str, Values], matrix: str) -> Rows:
        """Check and encode values.

        Args:
            numbers: (n, numeric and boolean columns).
            texts: (n,) by the name of a column of texts.
            matrix: the name of the one tensor of all columns; empty for a tensor a column.
        """
        errors = self._number_errors(numbers, matrix)
        read: dict[str, Sequence[Cell]] = {}
        for name, values in texts.items():
            read[name], wrong = self._read_texts(self._by_name[name], values, matrix)
            errors += wrong
        refuse_fields(errors)
        x = _as_float32(numbers)
        warnings = self._range_warnings(numbers)
        if texts:
            encoded = {column.name: x[:, i, None] for i, column in enumerate(self._numeric)}
            encoded |= {name: self._by_name[name].encode(read[name]) for name in read}
            x = np.hstack([encoded[column.name] for column in self.columns])
            more = range_warnings([self._by_name[name] for name in read], read)
            warnings = [*warnings, *more][:MAX_WARNINGS]
        return Rows(x, warnings)

    def _number_errors(self, numbers: Values, matrix: str) -> FieldErrors:
        if not numbers.size or float(np.abs(numbers).max()) <= FLOAT32_MAX:  # NaN is not
            return []
        wide = numbers.astype(np.float64)
        missing = np.isnan(wide)
        wrong = np.where(missing, ~self._nullable, np.abs(wide) > FLOAT32_MAX)
        errors: FieldErrors = []
        for row, i in np.argwhere(wrong)[:MAX_ERRORS].tolist():
            if missing[row, i]:
                problem = "is missing or not a number; a finite number is expected"
            else:
                problem = "is too large for float32; a finite number is expected"
            field = self._cell_name(self._numeric[i], row, matrix)
            errors.append({"field": field, "problem": problem})
        return errors

    def _read_texts(
        self, column: Column, values: Values, matrix: str
    ) -> tuple[Sequence[Cell], FieldErrors]:
        """Return the cells that texts mean, and what is wrong with them; one text is read once."""
        reader = self._readers[column.name]
        texts = values.tolist()
        meant: dict[str | None, Cell] = {}
        problems: dict[str | None, str] = {}
        for text in set(texts):
            try:
                meant[text] = reader.read_cell(text)
            except ValueError as error:
                problems[text] = str(error)
        errors: FieldErrors = []
        if problems:
            rows = [row for row, text in enumerate(texts) if text in problems]
            for row in rows[:MAX_ERRORS]:
                field = self._cell_name(column, row, matrix)
                errors.append({"field": field, "problem": problems[texts[row]]})
        return [meant.get(text) for text in texts], errors

    def _cell_name(self, column: Column, row: int, matrix: str) -> str:
        if matrix:
            return f"{matrix}[{row}, {self.columns.index(column)}]"
        return f"{column.name}[{row}]"

    def _range_warnings(self, numbers: Values) -> Sequence[str]:
        low = self._low
        high = self._high
        if numbers.dtype.kind == "f":  # or 0.1 as float32 would be above the bound 0.1 as float64
            low = _bounds_as(numbers.dtype, low)
            high = _bounds_as(numbers.dtype, high)
        outside = (numbers < low) | (numbers > high)  # NaN is neither
        if not outside.any():
            return ()
        return [
            f"{self._numeric[i].name}={numbers[row, i]:g}"
            f" outside {self._low[i]:g}..{self._high[i]:g}"
            for row, i in np.argwhere(outside)[:MAX_WARNINGS].tolist()
        ]


def _bounds(found: Sequence[float | None], otherwise: float) -> NDArray[np.float64]:
    return np.array([otherwise if bound is None else bound for bound in found], dtype=np.float64)


@np.errstate(over="ignore")  # a bound beyond float16 is none
def _bounds_as(dtype: np.dtype[Any], bounds: NDArray[np.float64]) -> Values:
    return bounds.astype(dtype)


def _no_numbers(rows: int) -> NDArray[np.float32]:
    return np.empty((rows, 0), dtype=np.float32)


@np.errstate(invalid="ignore")  # a signalling NaN
def _as_float32(numbers: Values) -> NDArray[np.float32]:
    # A copy, because bytes from a socket may not be aligned.
    return np.array(numbers, dtype=np.float32, order="C")
