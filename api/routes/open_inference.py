"""Requests and answers of the Open Inference Protocol, for every encoding: JSON, binary, gRPC.

Source: https://github.com/kserve/open-inference-protocol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.codecs.rows import Rows
from api.codecs.tensors import Inputs, Tensor
from api.large_bodies import IN_THREAD
from api.limits import Limits
from api.problems import UNFIT, UNPROCESSABLE, Problem
from api.routes.replies import predicted_value
from api.serving.served import Served, once_a_model
from registry.package import COLUMN_KINDS

SERVER = "tunegate"
PROBABILITIES = "probabilities"
INTERVAL = "interval"
# Bytes that a row counts for: more than a thousand rows are predicted in a thread.
BYTES_A_ROW = IN_THREAD >> 10

_inputs_of = once_a_model(lambda manifest: Inputs(manifest.columns, manifest.texts))


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that a request names; whether as bytes, None leaves to the request."""

    name: str
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request to infer.

    Attributes:
        id: the caller's.
        inputs: its tensors.
        outputs: the outputs that it names; all, where it names none.
        binary: whether it wants outputs as bytes.
    """

    id: str
    inputs: Sequence[Tensor]
    outputs: Sequence[RequestedOutput] = ()
    binary: bool = False


def model_metadata(served: Served) -> dict[str, Any]:
    """Return the model's tensors, one for each column."""
    manifest = served.package.manifest
    outputs = all_outputs(served, np.zeros((1, manifest.n_outputs))).values()
    return {
        "name": manifest.name,
        "versions": [served.package.digest],
        "platform": f"tunegate-{served.package.predictor.kind}",
        "inputs": [
            {
                "name": column.name,
                "datatype": COLUMN_KINDS[column.kind].tensor_datatype,
                "shape": [-1],
            }
            for column in manifest.columns
        ],
        "outputs": [
            {"name": tensor.name, "datatype": tensor.datatype, "shape": [-1, *tensor.shape[1:]]}
            for tensor in outputs
        ],
    }


def requested_rows(served: Served, request: InferRequest, limits: Limits) -> Rows:
    """Check a request against the model, and encode its rows.

    Raises:
        Problem: 413 for too many rows, 422 for what does not fit the model.
    """
    if request.outputs:
        check_output_names(served, request.outputs)
    manifest = served.package.manifest
    n = max((tensor.shape[0] for tensor in request.inputs), default=0)
    limits.check_rows(n, manifest.n_outputs, manifest.width)
    return _inputs_of(served).read(request.inputs)


def check_output_names(served: Served, requested: Sequence[RequestedOutput]) -> None:
    """Refuse outputs that are unknown, or requested twice.

    Raises:
        Problem: 422.
    """
    manifest = served.package.manifest
    known = [manifest.prediction]
    if manifest.classes:
        known.append(PROBABILITIES)
    if manifest.interval is not None:
        known.append(INTERVAL)
    names = [each.name for each in requested]
    for name in names:
        if name not in known:
            detail = f"no output {name!r}; there are {', '.join(known)}"
            raise Problem(UNPROCESSABLE, UNFIT, detail)
    if len(set(names)) < len(names):
        raise Problem(UNPROCESSABLE, UNFIT, "an output is asked for twice")


def request_weight(size: int, x: NDArray[np.float32]) -> int:
    """Return the size in bytes that `run_inline_or_threaded` judges a request of these rows by."""
    return max(size, BYTES_A_ROW * len(x))


def requested_outputs(
    served: Served, request: InferRequest, predicted: NDArray[np.float64]
) -> list[Tensor]:
    """Return the outputs that a request names, in its order.

    A prediction interval, [n, 2], is returned only by its name.
    """
    outputs = dict(all_outputs(served, predicted))
    names = [each.name for each in request.outputs] or list(outputs)
    if INTERVAL in names and (interval := served.package.interval(predicted)) is not None:
        shape = list(interval.shape)
        outputs.setdefault(INTERVAL, Tensor(INTERVAL, "FP64", shape, interval.ravel()))
    return [outputs[name] for name in names]


def all_outputs(served: Served, predicted: NDArray[np.float64]) -> Mapping[str, Tensor]:
    """Return outputs by name: a number a row, or the likeliest class and the classes' shares.

    Args:
        served: the model.
        predicted: float64 (n, 1), or (n, n_classes) shares.
    """
    name = served.package.manifest.prediction
    classes = served.package.manifest.classes
    if not classes:
        return {name: Tensor(name, "FP64", [len(predicted)], predicted[:, 0])}
    datatype, values = _class_values(*classes)
    likeliest = values[predicted.argmax(axis=1)]
    shares = Tensor(PROBABILITIES, "FP64", list(predicted.shape), predicted.ravel())
    return {name: Tensor(name, datatype, [len(predicted)], likeliest), PROBABILITIES: shares}


def row_outputs(served: Served, shares: Sequence[float]) -> list[dict[str, Any]]:
    """Return all outputs for one row as JSON has them, without the cost of arrays."""
    name = served.package.manifest.prediction
    classes = served.package.manifest.classes
    value = predicted_value(served, shares)
    if not classes:
        return [_output(name, "FP64", [1], [value])]
    datatype = _class_values(*classes)[0]
    shown = str(value) if datatype == "BYTES" else value
    return [
        _output(name, datatype, [1], [shown]),
        _output(PROBABILITIES, "FP64", [1, len(classes)], shares),
    ]


def reply_head(served: Served, request_id: str) -> dict[str, str]:
    """Return the fields of an answer that come before its outputs."""
    return {
        "model_name": served.package.manifest.name,
        "model_version": served.package.digest,
        "id": request_id,
    }


def _output(name: str, datatype: str, shape: list[int], data: Sequence[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


@lru_cache(maxsize=64, typed=True)  # one argument each, as (False, True) == (0, 1)
def _class_values(*classes: bool | int | str) -> tuple[str, NDArray[Any]]:
    kinds = set(map(type, classes))
    if kinds == {bool}:
        return "BOOL", np.array(classes)
    if kinds == {int} and (values := np.array(classes)).dtype == np.int64:
        return "INT64", values
    return "BYTES", np.array(list(map(str, classes)), dtype=object)
