"""Answers of a model: the JSON of `/predict` and V1, and the headers that name the model."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from api.codecs.rows import Cells, Rows
from api.problems import UNFIT, UNPROCESSABLE, Problem
from api.serving.served import Served, likeliest

VERSION_HEADER = "X-Model-Version"
WARNING_HEADER = "X-Model-Warning"
JSON = "application/json"
encode_json = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """An answer's JSON, and warnings about values outside of the training part's range."""

    payload: bytes
    warnings: Sequence[str]


def row_reply(served: Served, cells: Cells, *, interval: bool = False) -> Reply:
    """Answer one row as `/predict` does."""
    shares = served.predict_row(cells)
    warnings = served.encoder.warnings(cells)
    if not (interval or served.package.manifest.classes):
        return Reply(served.before + encode_json(shares[0]) + served.after, warnings)
    content = _row_content(served, shares)
    if interval:
        content |= _intervals(served, np.array([shares]))[0]
    return Reply(encode_json(content), warnings)


def rows_reply(served: Served, rows: Rows, *, interval: bool = False) -> Reply:
    """Answer a list of rows as `/predict` does."""
    predicted = served.predict(rows.x)
    if not (interval or served.package.manifest.classes):
        return Reply(_join_numbers(served, predicted[:, 0].tolist()), rows.warnings)
    contents = [_row_content(served, shares) for shares in predicted.tolist()]
    if interval:
        intervals = _intervals(served, predicted)
        contents = [a | b for a, b in zip(contents, intervals, strict=True)]
    return Reply(encode_json(contents), rows.warnings)


def predicted_value(served: Served, shares: Sequence[float]) -> float | str | bool:
    """Return the predicted number, or the likeliest class."""
    classes = served.package.manifest.classes
    return classes[likeliest(shares)] if classes else shares[0]


def predicted_values(served: Served, predicted: NDArray[np.float64]) -> list[Any]:
    """Return numbers, or the likeliest classes, of (n, 1) numbers or (n, n_classes) shares."""
    classes = served.package.manifest.classes
    if classes:
        return [classes[i] for i in predicted.argmax(axis=1).tolist()]
    numbers: list[float] = predicted[:, 0].tolist()
    return numbers


def model_headers(served: Served, warnings: Sequence[str] = ()) -> dict[str, str]:
    """Return the headers that name the model, and values outside of what it has seen."""
    headers = {VERSION_HEADER: served.package.digest}
    if warnings:
        headers[WARNING_HEADER] = warning_text(warnings)
    return headers


def warning_text(warnings: Sequence[str]) -> str:
    """Return a header's text: a column's name may hold a line break, a header may not."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in "; ".join(warnings))


def reply_response(served: Served, reply: Reply) -> Response:
    """Return the response for a reply."""
    headers = model_headers(served, reply.warnings)
    return Response(reply.payload, media_type=JSON, headers=headers)


def json_response(served: Served, content: Mapping[str, Any]) -> Response:
    """Return the response for any JSON about a model."""
    return Response(encode_json(content), media_type=JSON, headers=model_headers(served))


def _row_content(served: Served, shares: Sequence[float]) -> dict[str, Any]:
    manifest = served.package.manifest
    content: dict[str, Any] = {
        manifest.prediction: predicted_value(served, shares),
        "model_version": served.package.digest,
    }
    if manifest.classes:
        content["probabilities"] = dict(zip(map(str, manifest.classes), shares, strict=True))
    return content


def _join_numbers(served: Served, predicted: list[float]) -> bytes:
    """Write what `_row_content` says of each row, without an object for each."""
    numbers = encode_json(predicted)[1:-1].split(b",")
    between = served.after + b"," + served.before
    return b"[" + served.before + between.join(numbers) + served.after + b"]"


def _intervals(served: Served, predicted: NDArray[np.float64]) -> list[dict[str, Any]]:
    bounds = served.package.interval(predicted)
    stated = served.package.manifest.interval
    if bounds is None or stated is None:
        detail = "this model has no prediction interval; leave `interval` out"
        raise Problem(UNPROCESSABLE, UNFIT, detail)
    return [
        {"interval": {"low": low, "high": high, "coverage": stated.coverage}}
        for low, high in bounds.tolist()
    ]
