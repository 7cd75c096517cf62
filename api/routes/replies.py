"""What every route does: take the model that answers now, predict, and say which model it was."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from api.codecs.json_body import UNFIT
from api.codecs.rows import Cells, Rows
from api.limits import Limits, read
from api.problems import NOT_FOUND, UNAVAILABLE, UNPROCESSABLE, UNSUPPORTED, Problem
from api.serving.served import Served, Slot, Slots, likeliest

VERSION_HEADER = "X-Model-Version"
WARNING_HEADER = "X-Model-Warning"
TRIED = "tunegate.tried"  # in a request's scope
LARGE = (
    1 << 13
)  # bytes of a body from which on an answer is made in a thread, so that small requests need not wait
T = TypeVar("T")
encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """An answer's JSON, and what to say about values outside of the training part's range."""

    payload: bytes
    warnings: Sequence[str]


Quick = Callable[[Served, bytes, Limits], Reply | None]  # None where it is not sure
Strict = Callable[[Served, bytes, Limits], Reply]


def current(slot: Slot) -> Served:
    """Return what serves; a request keeps it to its end.

    Raises:
        Problem: 503 where nothing does.
    """
    if slot.served is None:
        detail = slot.refused or slot.removed or "nothing has been promoted yet"
        raise Problem(UNAVAILABLE, "No model is loaded", detail)
    return slot.served


def named(slots: Slots, name: str) -> Served:
    """Return what serves under this name.

    Raises:
        Problem: 404 where no model of this name does, 503 where nothing of it has been promoted yet.
    """
    if name not in slots:
        raise Problem(NOT_FOUND, "No such model", f"here serves {', '.join(slots)}")
    return current(slots[name])


def limits(request: Request) -> Limits:
    """Return the application's limits."""
    found: Limits = request.app.state.limits
    return found


async def body(request: Request) -> bytes:
    """Read the body within the application's limits; raises as `read` does, and 415 where it is compressed."""
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise Problem(
            UNSUPPORTED, "Compressed bodies are not read", f"it says Content-Encoding: {encoding}"
        )
    return await read(request.receive, limits(request))


def tried(request: Request) -> bool:
    """Whether the short way has looked at this request already, and left it to the application."""
    return bool(request.scope.get(TRIED))


async def reply(request: Request, served: Served, quick: Quick, strict: Strict) -> Response:
    """Answer the quick way where that is sure, else the strict way, which knows what is wrong.

    Raises:
        Problem: as `body` and `strict` do.
    """
    text = await body(request)
    allowed = limits(request)
    if not tried(request) and (found := await answered(len(text), quick, served, text, allowed)):
        return respond(served, found)
    return respond(served, await answered(len(text), strict, served, text, allowed))


async def answered(size: int, answer: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the answer's own
    """Make an answer here and now, or in a thread where the body is large (bytes)."""
    if size < LARGE:
        return answer(*arguments)
    return await asyncio.to_thread(answer, *arguments)


def one(served: Served, cells: Cells, *, interval: bool = False) -> Reply:
    """Answer one row as `/predict` does."""
    shares = served.predict_row(cells)
    if not (interval or served.package.manifest.classes):
        return Reply(
            served.before + encode(shares[0]) + served.after, served.encoder.warnings(cells)
        )
    content = _content(served, shares)
    if interval:
        content |= _intervals(served, np.array([shares]))[0]
    return Reply(encode(content), served.encoder.warnings(cells))


def many(served: Served, rows: Rows, *, interval: bool = False) -> Reply:
    """Answer a list of rows as `/predict` does."""
    predicted = served.predict(rows.x)
    if not (served.package.manifest.classes or interval):
        return Reply(_numbers(served, predicted[:, 0].tolist()), rows.warnings)
    contents = [_content(served, shares) for shares in predicted.tolist()]
    if interval:
        contents = [a | b for a, b in zip(contents, _intervals(served, predicted), strict=True)]
    return Reply(encode(contents), rows.warnings)


def instances(served: Served, found: Rows | Cells) -> Reply:
    """Answer one row or several as KServe's V1 does."""
    if isinstance(found, Rows):
        predictions = values(served, served.predict(found.x))
        warnings = found.warnings
    else:
        predictions = [value(served, served.predict_row(found))]
        warnings = served.encoder.warnings(found)
    return Reply(encode({"predictions": predictions}), warnings)


def value(served: Served, shares: Sequence[float]) -> float | str | bool:
    """Return the predicted number, or the likeliest class."""
    classes = served.package.manifest.classes
    if classes:
        return classes[likeliest(shares)]
    return shares[0]


def values(served: Served, predicted: NDArray[np.float64]) -> list[Any]:
    """Return the predicted numbers, or the likeliest classes, of (n, 1) numbers or (n, n_classes) shares."""
    classes = served.package.manifest.classes
    if classes:
        return [classes[i] for i in predicted.argmax(axis=1).tolist()]
    numbers: list[float] = predicted[:, 0].tolist()
    return numbers


def version_headers(served: Served) -> dict[str, str]:
    """Return the header that names the model."""
    return {VERSION_HEADER: served.package.digest}


def headers(served: Served, warnings: Sequence[str]) -> dict[str, str]:
    """Return the headers that name the model, and values outside of what it has seen."""
    found = version_headers(served)
    if warnings:
        found[WARNING_HEADER] = warning(warnings)
    return found


def warning(warnings: Sequence[str]) -> str:
    """Return a header's text: a column's name may hold anything, a line break too; a header may not."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in "; ".join(warnings))


def respond(served: Served, reply: Reply) -> Response:
    """Answer with a reply's JSON."""
    return Response(
        reply.payload, media_type="application/json", headers=headers(served, reply.warnings)
    )


def _content(served: Served, shares: Sequence[float]) -> dict[str, Any]:
    manifest = served.package.manifest
    found: dict[str, Any] = {
        manifest.prediction: value(served, shares),
        "model_version": served.package.digest,
    }
    if manifest.classes:
        found["probabilities"] = dict(zip(map(str, manifest.classes), shares, strict=True))
    return found


def _numbers(served: Served, predicted: list[float]) -> bytes:
    """Write what `_content` says of each, the same but for the number, without an object for each."""
    before = served.before
    after = served.after
    return (
        b"["
        + before
        + (after + b"," + before).join(encode(predicted)[1:-1].split(b","))
        + after
        + b"]"
    )


def _intervals(served: Served, predicted: NDArray[np.float64]) -> list[dict[str, Any]]:
    found = served.package.interval(predicted)
    stated = served.package.manifest.interval
    if found is None or stated is None:
        raise Problem(
            UNPROCESSABLE, UNFIT, "this model has no prediction interval; leave `interval` out"
        )
    return [
        {"interval": {"low": low, "high": high, "coverage": stated.coverage}}
        for low, high in found.tolist()
    ]
