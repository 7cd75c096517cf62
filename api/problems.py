"""Errors as problem details (RFC 9457), naming the field where there is one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
NO_SUCH_METHOD = 405
TIMEOUT = 408
TOO_LARGE = 413
UNSUPPORTED = 415
UNPROCESSABLE = 422
HEAD_TOO_LARGE = 431
INTERNAL = 500
NOT_IMPLEMENTED = 501
UNAVAILABLE = 503
HEADERS = {UNAUTHORIZED: {"WWW-Authenticate": "Bearer"}, UNAVAILABLE: {"Retry-After": "1"}}
MAX_ERRORS = 100  # named in one answer
UNFIT = "The request does not fit the model"
T = TypeVar("T")
R = TypeVar("R")


class Problem(Exception):
    """An answer that is not a prediction."""

    def __init__(
        self, status: int, title: str, detail: str = "", errors: Sequence[dict[str, str]] = ()
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = list(errors)

    def response(self, **members: str) -> JSONResponse:
        """Return the problem as an answer, with more members."""
        content: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            content["detail"] = self.detail
        if self.errors:
            content["errors"] = self.errors
        content |= members
        return JSONResponse(content, self.status, HEADERS.get(self.status), MEDIA_TYPE)

    @property
    def text(self) -> str:
        """The problem in one line, as Open Inference's errors are."""
        where = "; ".join(f"{error['field']}: {error['problem']}" for error in self.errors)
        return ": ".join(part for part in (self.title, self.detail, where) if part)


def wrong_field(field: str, problem: str) -> Problem:
    """Return the refusal of a request with one wrong field: 422."""
    return Problem(UNPROCESSABLE, UNFIT, errors=[{"field": field, "problem": problem}])


def refuse_fields(errors: Sequence[dict[str, str]]) -> None:
    """Refuse a request for its wrong fields; return if there are none.

    Raises:
        Problem: 422, naming `MAX_ERRORS` of them.
    """
    if errors:
        raise Problem(UNPROCESSABLE, UNFIT, errors=errors[:MAX_ERRORS])


def read_all(read: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """Read each part of a request, so that one that is wrong does not hide the others.

    Raises:
        Problem: 422, naming the wrong fields of all parts, up to `MAX_ERRORS`; at once where a part
            is wrong as a whole.
    """
    found: list[R] = []
    errors: list[dict[str, str]] = []
    for part in parts:
        try:
            found.append(read(part))
        except Problem as problem:
            if not problem.errors:
                raise
            errors += problem.errors
            if len(errors) >= MAX_ERRORS:
                break
    refuse_fields(errors)
    return found


def internal_error() -> Problem:
    """Return what a caller reads of an error that nobody expected, and that was logged."""
    return Problem(INTERNAL, "Internal error", "the server's log says more")


def refusal(path: str, problem: Problem) -> JSONResponse:
    """Return a problem as an answer; below /v2 with the member that its clients read."""
    if path.startswith("/v2"):
        return problem.response(error=problem.text)
    return problem.response()
