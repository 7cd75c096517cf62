"""Errors as problem details (RFC 9457), naming the field where there is one."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
BAD_REQUEST, UNAUTHORIZED, NOT_FOUND, TIMEOUT, TOO_LARGE, UNSUPPORTED, UNPROCESSABLE = 400, 401, 404, 408, 413, 415, 422
INTERNAL, UNAVAILABLE = 500, 503
HEADERS = {UNAUTHORIZED: {"WWW-Authenticate": "Bearer"}, UNAVAILABLE: {"Retry-After": "1"}}


class Problem(Exception):
    """An answer that is not a prediction."""

    def __init__(self, status: int, title: str, detail: str = "", errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = list(errors)

    def response(self) -> JSONResponse:
        """Return the problem as an answer."""
        content: dict[str, Any] = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail:
            content["detail"] = self.detail
        if self.errors:
            content["errors"] = self.errors
        return JSONResponse(content, self.status, HEADERS.get(self.status), MEDIA_TYPE)

    @property
    def text(self) -> str:
        """The problem in one line, as Open Inference's errors are."""
        where = "; ".join(f"{error['field']}: {error['problem']}" for error in self.errors)
        return ": ".join(part for part in (self.title, self.detail, where) if part)


def internal() -> Problem:
    """Return what a caller is told of an error that nobody expected, and that was logged."""
    return Problem(INTERNAL, "Internal error", "the server's log says more")


def refusal(path: str, problem: Problem) -> JSONResponse:
    """Return a problem as the protocol of this path has it."""
    if path.startswith("/v2"):
        return JSONResponse({"error": problem.text}, problem.status, HEADERS.get(problem.status))
    return problem.response()
