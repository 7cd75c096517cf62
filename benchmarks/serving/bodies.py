"""How each protocol writes rows into a request, and where its answer holds the predictions."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
HEADER_LENGTH = "Inference-Header-Content-Length"  # of the V2 protocol's binary tensor extension
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Protocol:
    """A request's body and headers for rows (n, 13), and the predictions of an answer.

    An answer is its body and the length of its header.
    """

    write: Callable[[Rows], tuple[bytes, dict[str, str]]]
    read: Callable[[bytes, int], list[float]]
    batches: bool = True


def _json(
    build: Callable[[list[list[float]]], Any], find: Callable[[Any], Any], *, batches: bool = True
) -> Protocol:
    def write(rows: Rows) -> tuple[bytes, dict[str, str]]:
        return json.dumps(build(rows.tolist())).encode(), JSON_TYPE

    def read(body: bytes, _: int) -> list[float]:
        found = find(json.loads(body))
        return found if isinstance(found, list) else [found]

    return Protocol(write, read, batches)


def _named(row: list[float]) -> dict[str, float]:
    return {f"x{i}": value for i, value in enumerate(row)}


def _own(rows: list[list[float]]) -> Any:  # noqa: ANN401 - JSON
    return _named(rows[0]) if len(rows) == 1 else [_named(row) for row in rows]


def _own_answer(document: Any) -> list[float]:  # noqa: ANN401 - JSON
    answers = document if isinstance(document, list) else [document]
    return [answer["predicted_y"] for answer in answers]


def _tensor(rows: list[list[float]]) -> dict[str, Any]:
    data = [value for row in rows for value in row]
    return {
        "inputs": [
            {"name": "rows", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": data}
        ]
    }


def _binary(rows: Rows) -> tuple[bytes, dict[str, str]]:
    data = rows.astype("<f4").tobytes()  # the trees read float32
    tensor = {"name": "rows", "shape": list(rows.shape), "datatype": "FP32"}
    sized = tensor | {"parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [sized], "parameters": {"binary_data_output": True}}).encode()
    return head + data, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}


def _binary_answer(body: bytes, header: int) -> list[float]:
    output = json.loads(body[:header] if header else body)["outputs"][0]
    kind = {"FP64": "<f8", "FP32": "<f4"}[output["datatype"]]
    found: list[float] = np.frombuffer(body[header:], kind).tolist() if header else output["data"]
    return found


OWN = _json(_own, _own_answer)
FLAT = _json(lambda rows: _named(rows[0]), lambda document: document["prediction"], batches=False)
V1 = _json(lambda rows: {"instances": rows}, lambda document: document["predictions"])
V2 = _json(_tensor, lambda document: document["outputs"][0]["data"])
V2_BINARY = Protocol(_binary, _binary_answer)
MLFLOW = _json(
    lambda rows: {"dataframe_split": {"columns": list(_named(rows[0])), "data": rows}},
    lambda document: document["predictions"],
)
BENTOML = _json(lambda rows: {"rows": rows}, lambda document: document)
