"""The Open Inference Protocol (V2) over REST, tensors as JSON, for clients that speak it.

Source: https://github.com/kserve/open-inference-protocol. A row is checked as strictly as by `/predict`.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr, ValidationError

from api.answers import body, current, named, predict, respond, values
from api.problems import HEADERS, UNPROCESSABLE, Problem
from api.schema import UNFIT, load
from api.slot import Served, Slot
from registry.package import Column

NUMBERS = frozenset(f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)) | {"FP16", "FP32", "FP64"}
DATATYPES: Mapping[str, frozenset[str]] = {
    "numeric": NUMBERS,
    "boolean": frozenset({"BOOL"}),
    "categorical": frozenset({"BYTES"}),
}
SHOWN = {"numeric": "FP64", "boolean": "BOOL", "categorical": "BYTES"}


class Tensor(BaseModel):
    """An input of V2: its values in row-major order, flat or nested."""

    model_config = ConfigDict(extra="forbid")

    name: StrictStr
    shape: list[StrictInt]
    datatype: StrictStr
    data: list[Any]
    parameters: dict[str, Any] | None = None


class Inference(BaseModel):
    """A request of V2."""

    model_config = ConfigDict(extra="forbid")

    id: StrictStr | None = None
    inputs: list[Tensor]
    outputs: list[dict[str, Any]] | None = None
    parameters: dict[str, Any] | None = None


def add_v2(app: FastAPI, slot: Slot) -> None:
    """Add the Open Inference Protocol's routes."""

    @app.get("/v2", summary="V2: the server", tags=["V2"])
    async def server() -> dict[str, Any]:
        return {"name": "tunegate", "version": app.version, "extensions": []}

    @app.get("/v2/health/live", summary="V2: the process is alive", tags=["V2"])
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready", summary="V2: a verified model is loaded", tags=["V2"])
    async def server_ready() -> Response:
        return respond(current(slot), {"ready": True})

    @app.get("/v2/models/{name}", summary="V2: the model's tensors", tags=["V2"])
    async def metadata(name: str) -> Response:
        served = named(slot, name)
        return respond(served, _metadata(served))

    @app.get("/v2/models/{name}/ready", summary="V2: whether a model is ready", tags=["V2"])
    async def model_ready(name: str) -> Response:
        return respond(named(slot, name), {"name": name, "ready": True})

    @app.post("/v2/models/{name}/infer", summary="V2: predict rows", tags=["V2"])
    async def infer(name: str, request: Request) -> Response:
        served = named(slot, name)
        asked = _inference(load(await body(request)))
        rows = served.schema.rows(_table(served, asked.inputs), "inputs")
        outputs = _outputs(served, predict(served, rows))
        wanted = [output.get("name") for output in asked.outputs or ()] or list(outputs)
        if unknown := [name for name in wanted if name not in outputs]:
            raise Problem(UNPROCESSABLE, UNFIT, f"no output {unknown[0]!r}; there are {', '.join(outputs)}")
        content = {"model_name": name, "model_version": served.package.digest, "id": asked.id or ""}
        return respond(served, content | {"outputs": [outputs[str(name)] for name in wanted]}, rows)


def v2_error(problem: Problem) -> JSONResponse:
    """Return a problem as V2 has it."""
    where = "; ".join(f"{error['field']}: {error['problem']}" for error in problem.errors)
    text = ": ".join(part for part in (problem.title, problem.detail, where) if part)
    return JSONResponse({"error": text}, problem.status, HEADERS.get(problem.status))


def _inference(document: Any) -> Inference:  # noqa: ANN401 - JSON
    try:
        return Inference.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        errors = [{"field": ".".join(map(str, e["loc"])), "problem": e["msg"]} for e in found]
        raise Problem(UNPROCESSABLE, UNFIT, errors=errors) from error


def _table(served: Served, inputs: Sequence[Tensor]) -> list[Any]:
    """Return rows: of one tensor of shape [n, columns], or of a tensor of shape [n] or [n, 1] a column."""
    columns = served.package.manifest.columns
    if len(inputs) == 1 and inputs[0].name not in {column.name for column in columns}:
        tensor = inputs[0]
        wrong = [column.name for column in columns if tensor.datatype not in DATATYPES[column.kind]]
        if wrong:
            problem = f"{tensor.datatype} does not fit column {wrong[0]}: send a tensor a column"
            raise Problem(UNPROCESSABLE, UNFIT, errors=[{"field": tensor.name, "problem": problem}])
        flat, width = _flat(tensor), len(columns)
        if len(tensor.shape) != 2 or tensor.shape[1] != width:  # noqa: PLR2004 - rows and columns
            problem = f"has shape {tensor.shape}; [rows, {width}] is expected"
            raise Problem(UNPROCESSABLE, UNFIT, errors=[{"field": tensor.name, "problem": problem}])
        return [flat[i : i + width] for i in range(0, len(flat), width)]
    return _by_column(inputs, {column.name: column for column in columns})


def _by_column(inputs: Sequence[Tensor], columns: Mapping[str, Column]) -> list[Any]:
    found: dict[str, list[Any]] = {}
    for tensor in inputs:
        problem = _misfit(tensor, columns)
        if not problem and tensor.name in found:
            problem = "is there twice"
        if problem:
            raise Problem(UNPROCESSABLE, UNFIT, errors=[{"field": tensor.name, "problem": problem}])
        found[tensor.name] = _flat(tensor)
    lengths = {len(cells) for cells in found.values()}
    if len(lengths) > 1:
        raise Problem(UNPROCESSABLE, UNFIT, f"the tensors have {sorted(lengths)} rows; each must have as many")
    return [dict(zip(found, cells, strict=True)) for cells in zip(*found.values(), strict=True)]


def _misfit(tensor: Tensor, columns: Mapping[str, Column]) -> str:
    column = columns.get(tensor.name)
    if column is None:
        return "is no column of the model"
    if tensor.datatype not in DATATYPES[column.kind]:
        return f"has datatype {tensor.datatype}; {' or '.join(sorted(DATATYPES[column.kind]))} is expected"
    if tensor.shape[1:] not in ([], [1]) or not tensor.shape:
        return f"has shape {tensor.shape}; [rows] or [rows, 1] is expected"
    return ""


def _flat(tensor: Tensor) -> list[Any]:
    data, expected = tensor.data, prod(tensor.shape)
    while data and all(isinstance(cell, list) for cell in data):
        data = [cell for part in data for cell in part]
    if any(size < 1 for size in tensor.shape) or len(data) != expected:
        problem = f"has {len(data)} values for shape {tensor.shape}"
        raise Problem(UNPROCESSABLE, UNFIT, errors=[{"field": tensor.name, "problem": problem}])
    return data


def _metadata(served: Served) -> dict[str, Any]:
    manifest = served.package.manifest
    one = np.zeros((1, len(manifest.classes) or 1))
    return {
        "name": manifest.name,
        "versions": [served.package.digest],
        "platform": "tunegate-flat-forest",
        "inputs": [{"name": c.name, "datatype": SHOWN[c.kind], "shape": [-1]} for c in manifest.columns],
        "outputs": [
            {"name": name, "datatype": tensor["datatype"], "shape": [-1, *tensor["shape"][1:]]}
            for name, tensor in _outputs(served, one).items()
        ],
    }


def _outputs(served: Served, predicted: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    manifest = served.package.manifest
    answers = values(served, predicted)
    kinds = {bool: "BOOL", int: "INT64", str: "BYTES"}
    datatype = kinds.get(type(answers[0]), "FP64") if manifest.classes else "FP64"
    found = {manifest.prediction: _tensor(manifest.prediction, datatype, [len(answers)], answers)}
    if manifest.classes:
        found["probabilities"] = _tensor("probabilities", "FP64", list(predicted.shape), predicted.ravel().tolist())
    return found


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
