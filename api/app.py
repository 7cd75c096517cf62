"""The FastAPI application: routers, exception handlers, middleware, and what runs while it does.

Every answer of a model carries `X-Model-Version`, the sha256 of the package that gave it. Errors
are problem details.
"""

import ctypes
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.limits import InFlight, Limits
from api.middleware.access_log import AccessLog
from api.middleware.api_key import ApiKey, Key, is_open
from api.middleware.behind_proxy import AllowOrigins
from api.middleware.draining import Draining, Leaving
from api.middleware.head_requests import HeadAsGet
from api.middleware.in_flight import ALWAYS, LimitInFlight
from api.middleware.request_log import LogRequests, RequestLog
from api.problems import (
    MAX_ERRORS,
    NO_SUCH_METHOD,
    NOT_FOUND,
    UNPROCESSABLE,
    Problem,
    refusal,
)
from api.routes import card, models, predict, probes, shadow, static_files, v1, v2
from api.routes.allowed_methods import allowed_methods
from api.routes.openapi import ModelDocument
from api.serving.follower import INTERVAL
from api.serving.served import Slots
from api.serving.state import State
from registry.store import ModelStore

DESCRIPTION = "Predictions of the model in production. Try `POST /predict` with the example."
Companion = Callable[[Slots], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def no_companion(_: Slots) -> AsyncIterator[None]:
    """Run nothing next to the application."""
    yield


def create_app(  # noqa: PLR0913 - a server's options
    store: ModelStore,
    model: str,
    also: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    poll: float = INTERVAL,
    api_key: Path | None = None,
    access_log: AccessLog | None = None,
    leaving: Leaving | None = None,
    companion: Companion = no_companion,
    origins: Sequence[str] = (),
) -> FastAPI:
    """Make the application that serves models from a store.

    It follows their pointers while it runs.

    Args:
        store: where packages and pointers are.
        model: the model whose rows `/predict` takes.
        also: other models, served under their names.
        limits: what it accepts.
        poll: seconds between two looks at a pointer.
        api_key: file with the key that requests for predictions must carry; None asks for none.
        access_log: where each request is written; None for nowhere.
        leaving: the way of the process to its end.
        companion: what else runs on the same models while the application does, as gRPC.
        origins: of pages that a browser may let read the answers (CORS).
    """
    state = State.make(store, model, also, limits or Limits(), poll)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _following(state), companion(state.slots):
            yield

    app = FastAPI(
        title=f"tunegate: {model}",
        version=version("tunegate"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # offline, see `static_files`
        redoc_url=None,
        redirect_slashes=False,
        # Spans are `api.middleware.tracing`'s; FastAPI would look for its own at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.serving = state
    app.state.request_log = RequestLog(state.metrics, access_log)
    app.state.in_flight = InFlight(state.limits)
    app.state.leaving = leaving or Leaving()
    app.state.key = Key(api_key) if api_key else None
    _include_routers(app, state)
    app.openapi = ModelDocument(  # type: ignore[method-assign] # as FastAPI documents it
        app, state, is_open=is_open if app.state.key else None, always=ALWAYS
    )
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    # The last that is added is the outermost.
    app.add_middleware(HeadAsGet)
    if app.state.key:
        app.add_middleware(ApiKey, key=app.state.key)
    app.add_middleware(LimitInFlight, in_flight=app.state.in_flight)
    if origins:  # outside of what refuses, so that a page can read why
        app.add_middleware(AllowOrigins, origins=origins)
    app.add_middleware(Draining, leaving=app.state.leaving)
    app.add_middleware(LogRequests, log=app.state.request_log)
    return app


def _include_routers(app: FastAPI, state: State) -> None:
    routers = (
        predict.predict_router(state),
        probes.router,
        v1.router,
        v2.router,
        card.router,
        models.router,
        models.index_router,
        predict.named_router,
        shadow.router,
        static_files.page_router(app.title),
    )
    for router in routers:
        app.include_router(router)
    # FastAPI hides what it includes, and `Allow` needs them all.
    app.state.routes = [*app.routes, *(route for router in routers for route in router.routes)]


@asynccontextmanager
async def _following(state: State) -> AsyncIterator[None]:
    """Follow the models' pointers."""
    for follower in state.followers:
        follower.start()
    _return_freed_memory()
    gc.freeze()  # what is here stays: no collection needs to look at it again
    yield
    gc.unfreeze()
    for follower in state.followers:
        follower.stop()


def _return_freed_memory() -> None:
    """Return to the system what importing and loading have freed; C libraries but glibc keep it."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


async def _answer_problem(request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)  # noqa: S101 - as it was registered
    return refusal(request.scope["path"], problem)


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
    path = request.scope["path"]
    detail = ""
    if error.status_code == NOT_FOUND and path.endswith("/"):
        detail = "no path here ends with a slash"
    response = refusal(path, Problem(error.status_code, str(error.detail), detail))
    response.headers.update(error.headers or {})
    if error.status_code == NO_SUCH_METHOD:
        allowed = allowed_methods(request.app.state.routes, request.scope)
        response.headers["Allow"] = ", ".join(allowed)
    return response


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as it was registered
    errors = [
        {"field": ".".join(map(str, each["loc"])), "problem": each["msg"]}
        for each in error.errors()[:MAX_ERRORS]
    ]
    problem = Problem(UNPROCESSABLE, "The request is not valid", errors=errors)
    return refusal(request.scope["path"], problem)
