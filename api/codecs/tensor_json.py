"""A tensor's data in JSON: values in row-major order, flat or nested as the shape says."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.codecs.tensors import NUMBERS, Tensor, Values, count, fault, faults, known

Cells = list[Any]  # as JSON has them
KINDS: dict[str, frozenset[type]] = {"BOOL": frozenset({bool}), "BYTES": frozenset({str})}
NUMERIC = frozenset({int, float})
EXPECTED = {"BOOL": "true or false", "BYTES": "a text"}


def json_tensor(name: str, datatype: str, shape: Sequence[int], data: Cells) -> Tensor:
    """Check and convert data as `json.loads` gives it; null stays missing.

    Raises:
        Problem: 422, with the places of the values that are wrong.
    """
    kinds = KINDS.get(known(name, datatype), NUMERIC)
    flat = _flat(name, shape, data)
    if not set(map(type, flat)) <= {*kinds, type(None)}:
        expected = EXPECTED.get(datatype, "a number")
        faults(
            name,
            {
                i: f"is {_named(cell)}; {expected} is expected"
                for i, cell in enumerate(flat)
                if cell is not None and type(cell) not in kinds
            },
        )
    if datatype == "BYTES":
        return Tensor(name, datatype, shape, _texts(name, flat))
    if datatype == "BOOL" and None not in flat:
        return Tensor(name, datatype, shape, np.array(flat, dtype=bool))
    numbers = _numbers(name, flat)
    misfit = misfits(datatype, numbers)
    if misfit is not None:
        problem = f"does not fit {datatype}"
        faults(name, dict.fromkeys(np.flatnonzero(misfit).tolist(), problem))
    return Tensor(name, datatype, shape, numbers)


def misfits(datatype: str, numbers: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Return bool (n,): which numbers the datatype cannot hold, as too large or not whole.

    NaN fits; None is returned for a datatype that is no number.
    """
    dtype = NUMBERS.get(datatype)
    if dtype is None:
        return None
    if dtype.kind == "f":
        too_large: NDArray[np.bool_] = np.abs(numbers) > float(np.finfo(dtype).max)
        return too_large
    low = float(np.iinfo(dtype).min)
    high = float(np.iinfo(dtype).max)
    found: NDArray[np.bool_] = (numbers < low) | (numbers > high) | (np.floor(numbers) < numbers)
    return found


def _flat(name: str, shape: Sequence[int], data: Cells) -> Cells:
    n = count(name, shape)
    if any(type(part) is list for part in data):
        if len(data) != shape[0]:
            fault(name, f"has {len(data)} parts for shape {list(shape)}")
        for size in shape[1:]:
            if any(type(part) is not list or len(part) != size for part in data):
                fault(name, f"is not nested as shape {list(shape)} says")
            data = list(chain.from_iterable(data))
    if len(data) != n:
        fault(name, f"has {len(data)} values for shape {list(shape)}")
    return data


def _numbers(name: str, flat: Cells) -> NDArray[np.float64]:
    missing = flat.count(None)
    if missing:
        cells = [np.nan if cell is None else cell for cell in flat]
    else:
        cells = flat
    try:
        numbers = np.array(cells, dtype=np.float64)
    except OverflowError:
        wrong = next(i for i, cell in enumerate(flat) if type(cell) is int and _beyond(cell))
        fault(f"{name}[{wrong}]", "is too large for a number")
    finite = np.isfinite(numbers)
    if len(flat) - int(finite.sum()) != missing:
        infinite = [i for i in np.flatnonzero(~finite).tolist() if flat[i] is not None]
        faults(name, dict.fromkeys(infinite, "is not finite; a finite number is expected"))
    return numbers


def _beyond(cell: int) -> bool:
    try:
        float(cell)
    except OverflowError:
        return True
    return False


def _texts(name: str, flat: Cells) -> Values:
    wrong = [i for i, cell in enumerate(flat) if cell is not None and not _is_text(cell)]
    faults(name, dict.fromkeys(wrong, "has half of a surrogate pair, which is no text"))
    return np.array(flat, dtype=object)


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(cell: Any) -> str:  # noqa: ANN401 - JSON
    return {bool: "true or false", str: "a text", list: "a list", dict: "an object"}.get(
        type(cell), "a number"
    )
