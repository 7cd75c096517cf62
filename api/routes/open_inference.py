"""What the Open Inference Protocol asks for and is answered with, whatever carries it: JSON, binary, or gRPC.

Source: https://github.com/kserve/open-inference-protocol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.codecs.json_body import UNFIT
from api.codecs.rows import Rows
from api.codecs.tensors import SHOWN, Inputs, Tensor
from api.limits import Limits
from api.problems import NOT_FOUND, UNPROCESSABLE, Problem
from api.routes.replies import LARGE, named, value
from api.serving.served import Served, Slots, once_a_model

SERVER = "tunegate"
PLATFORM = "tunegate-flat-forest"
PROBABILITIES = "probabilities"
INTERVAL = "interval"
ROW = (
    LARGE >> 10
)  # bytes that a row counts for, so that more than a thousand are predicted in a thread

_inputs = once_a_model(lambda manifest: Inputs(manifest.columns))


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that is asked for; `binary` says how, None leaves it to the request."""

    name: str
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its id, its tensors, the outputs it names (all, where it names none), and how it wants them."""

    id: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Wanted] = ()
    binary: bool = False


def versioned(slots: Slots, name: str, version: str = "") -> Served:
    """Return what serves under this name.

    Args:
        slots: all models.
        name: the model's.
        version: the package's digest, or the number of its promotion; empty for whichever serves.

    Raises:
        Problem: 404 where another model or version does, 503 where none does.
    """
    served = named(slots, name)
    digest = served.package.digest
    number = str(served.pointer.number)
    if version and version not in {digest, number}:
        raise Problem(
            NOT_FOUND, "No such version", f"of {name} serves {digest}, promotion {number}"
        )
    return served


def metadata(served: Served) -> dict[str, Any]:
    """Return the model's tensors, a tensor a column."""
    manifest = served.package.manifest
    one = outputs(served, np.zeros((1, manifest.n_outputs))).values()
    return {
        "name": manifest.name,
        "versions": [served.package.digest],
        "platform": PLATFORM,
        "inputs": [
            {"name": c.name, "datatype": SHOWN[c.kind], "shape": [-1]} for c in manifest.columns
        ],
        "outputs": [
            {"name": t.name, "datatype": t.datatype, "shape": [-1, *t.shape[1:]]} for t in one
        ],
    }


def rows(served: Served, asked: Asked, allowed: Limits) -> Rows:
    """Check a request against the model.

    Raises:
        Problem: 413 for too many rows, 422 for what does not fit the model.
    """
    if asked.outputs:
        check_names(served, asked.outputs)
    found = _inputs(served).read(asked.inputs)
    allowed.check_rows(len(found.x), served.package.manifest.n_outputs)
    return found


def check_names(served: Served, wanted: Sequence[Wanted]) -> None:
    """Refuse outputs that are not there, or asked for twice.

    Raises:
        Problem: 422.
    """
    manifest = served.package.manifest
    names = [each.name for each in wanted]
    more = {PROBABILITIES: bool(manifest.classes), INTERVAL: manifest.interval is not None}
    there = [manifest.prediction, *(name for name, given in more.items() if given)]
    if unknown := [name for name in names if name not in there]:
        raise Problem(
            UNPROCESSABLE, UNFIT, f"no output {unknown[0]!r}; there are {', '.join(there)}"
        )
    if len(set(names)) < len(names):
        raise Problem(UNPROCESSABLE, UNFIT, "an output is asked for twice")


def weight(size: int, x: NDArray[np.float32]) -> int:
    """Return what to call the size of a request of `size` bytes with these rows, for `api.routes.replies.answered`."""
    return max(size, ROW * len(x))


def select(served: Served, asked: Asked, predicted: NDArray[np.float64]) -> list[Tensor]:
    """Return the outputs that are asked for, in that order; a prediction interval, [n, 2], only by its name."""
    found = dict(outputs(served, predicted))
    names = [wanted.name for wanted in asked.outputs] or list(found)
    if INTERVAL in names and (interval := served.package.interval(predicted)) is not None:
        found.setdefault(INTERVAL, Tensor(INTERVAL, "FP64", list(interval.shape), interval.ravel()))
    return [found[name] for name in names]


def outputs(served: Served, predicted: NDArray[np.float64]) -> Mapping[str, Tensor]:
    """Return what a model answers by name: a number a row, or the likeliest class and the classes' shares.

    Args:
        served: the model.
        predicted: float64 (n, 1), or (n, n_classes) shares.
    """
    manifest = served.package.manifest
    if not manifest.classes:
        return {
            manifest.prediction: Tensor(
                manifest.prediction, "FP64", [len(predicted)], predicted[:, 0]
            )
        }
    datatype, classes = _classes(*manifest.classes)
    likeliest = classes[predicted.argmax(axis=1)]
    return {
        manifest.prediction: Tensor(manifest.prediction, datatype, [len(predicted)], likeliest),
        PROBABILITIES: Tensor(PROBABILITIES, "FP64", list(predicted.shape), predicted.ravel()),
    }


def plain_outputs(
    served: Served, shares: Sequence[float]
) -> list[tuple[str, str, list[int], Sequence[Any]]]:
    """Return all outputs for one row as `outputs` does, without arrays: name, datatype, shape, data."""
    manifest = served.package.manifest
    found = value(served, shares)
    if not manifest.classes:
        return [(manifest.prediction, "FP64", [1], [found])]
    datatype, classes = _classes(*manifest.classes)
    named = str(found) if datatype == "BYTES" else found
    return [
        (manifest.prediction, datatype, [1], [named]),
        (PROBABILITIES, "FP64", [1, len(classes)], shares),
    ]


@lru_cache(maxsize=64, typed=True)  # one argument each, as (False, True) == (0, 1)
def _classes(*classes: bool | int | str) -> tuple[str, NDArray[Any]]:
    kinds = set(map(type, classes))
    if kinds == {bool}:
        return "BOOL", np.array(classes)
    if kinds == {int} and (found := np.array(classes)).dtype == np.int64:
        return "INT64", found
    return "BYTES", np.array(list(map(str, classes)), dtype=object)
