"""The FastAPI application: paths of the Kubernetes API over an `ObjectStore`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from katib.endpoint.access import Access
from katib.endpoint.changes import Accepted, Changes
from katib.endpoint.discovery import discovery
from katib.endpoint.patches import JSON_PATCH, MERGE, apply_patch
from katib.endpoint.pod_logs import stream_log
from katib.endpoint.refusals import Refusal, bad_request, not_allowed, not_found, object_details
from katib.endpoint.resources import (
    EXPERIMENTS,
    NAMESPACES,
    PODS,
    RUNTIMES,
    Resource,
    find_resource,
)
from katib.endpoint.run_objects import Entry
from katib.endpoint.tables import TABLE, render_table
from katib.endpoint.train_jobs import RUNTIME, runtime_document
from katib.endpoint.watching import ObjectSelection, read_watch_options, watch
from katib.objects import JsonObject

INJECTION = {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
LIMIT = 3 << 20  # bytes of a body, as of the API server
objects = APIRouter()


def create_endpoint(changes: Changes, token: str = "") -> FastAPI:
    """Make the application.

    Args:
        changes: the changes that clients may make, with the objects.
        token: the bearer token that requests must carry; empty for none.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        changes.store.refresh()
        changes.resume()
        yield
        await changes.engines.close()

    app = FastAPI(title="tunegate katib", openapi_url=None, lifespan=lifespan)
    app.state.changes = changes
    app.add_middleware(Access, token=token)
    app.add_exception_handler(Refusal, _answer_refusal)
    app.add_exception_handler(HTTPException, _answer_unknown_path)
    app.add_exception_handler(RequestValidationError, _answer_bad_body)
    app.include_router(discovery)
    app.include_router(objects)
    return app


def _answer_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - registered for it
    return JSONResponse(error.to_status(), error.code)


def _answer_bad_body(_: Request, error: Exception) -> Response:
    refusal = bad_request("the body has to be JSON, and its Content-Type has to say so")
    return JSONResponse({**refusal.to_status(), "details": {"error": str(error)}}, refusal.code)


def _answer_unknown_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    text = f"the server could not find the requested resource: {request.method} {request.url.path}"
    refusal = Refusal(HTTPStatus(error.status_code), "NotFound", text)
    return JSONResponse(refusal.to_status(), refusal.code)


async def _changes(request: Request) -> Changes:
    """Return the application's state, after a look at the folders."""
    changes: Changes = request.app.state.changes
    changes.store.refresh()
    return changes


async def _resource(request: Request) -> Resource:
    """Return the kind of objects that a path is about."""
    group = request.path_params.get("group", "")
    plural = request.path_params["plural"]
    found = find_resource(group, plural)
    if found is None or found.version != request.path_params.get("version", found.version):
        raise Refusal(HTTPStatus.NOT_FOUND, "NotFound", f"there is no {plural} here")
    return found


State = Annotated[Changes, Depends(_changes)]
Kind = Annotated[Resource, Depends(_resource)]
Document = Annotated[object, Body()]


@objects.get("/api/v1/namespaces/{namespace}")
def show_namespace(namespace: str) -> JsonObject:
    """Answer with a namespace; each exists, as none has to be made first."""
    return _namespace(namespace)


@objects.get("/api/v1/namespaces")
async def list_namespaces(request: Request, state: State) -> Response:
    """Answer with the namespaces that hold something."""
    items = [_namespace(name) for name in state.store.namespaces()]
    return _show_list(request, state, NAMESPACES, items)


@objects.get(f"/apis/{RUNTIMES.api_version}/{RUNTIMES.plural}")
async def list_runtimes(request: Request, state: State) -> Response:
    """Answer with the runtime of Kubeflow Trainer that there is."""
    return _show_list(request, state, RUNTIMES, [runtime_document()])


@objects.get(f"/apis/{RUNTIMES.api_version}/{RUNTIMES.plural}/{{name}}")
async def show_runtime(name: str) -> JsonObject:
    """Answer with a runtime."""
    if name != RUNTIME:
        raise not_found(RUNTIMES, name)
    return runtime_document()


@objects.get("/api/v1/namespaces/{namespace}/pods/{name}/log")
async def show_log(namespace: str, name: str, request: Request, state: State) -> Response:
    """Answer with what a trial has printed, whichever container is named."""
    entry = state.store.get(PODS, namespace, name)
    query = request.query_params
    try:
        tail = int(query["tailLines"]) if query.get("tailLines") else None
    except ValueError:
        raise bad_request("tailLines is a number") from None

    def ended() -> bool:
        state.store.refresh()
        try:
            status = state.store.get(PODS, namespace, name).item["status"]
        except Refusal:
            return True
        return bool(status["phase"] != "Running")

    path = entry.run / "trials" / entry.trial / "output.log"
    follow = query.get("follow") in {"true", "True", "1"}
    return StreamingResponse(
        stream_log(path, tail, follow=follow, ended=ended), media_type="text/plain; charset=utf-8"
    )


@objects.get("/api/v1/{plural}")
@objects.get("/api/v1/namespaces/{namespace}/{plural}")
@objects.get("/apis/{group}/{version}/{plural}")
@objects.get("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
async def list_objects(request: Request, state: State, kind: Kind, namespace: str = "") -> Response:
    """Answer with the objects of a kind, or with their changes as they come."""
    query = request.query_params
    chosen = ObjectSelection(
        kind, namespace, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    if query.get("watch") in {"true", "True", "1"}:
        options = read_watch_options(query)
        events = watch(state.store, chosen, options, lambda item: _shown(request, kind, item))
        return StreamingResponse(events, media_type="application/json")
    found = [each.item for each in state.store.select(kind, namespace) if chosen.includes(each)]
    return _show_list(request, state, kind, found)


@objects.get("/api/v1/namespaces/{namespace}/{plural}/{name}")
@objects.get("/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}")
@objects.get("/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}/status")
async def show_object(
    request: Request, state: State, kind: Kind, namespace: str, name: str
) -> Response:
    """Answer with one object."""
    return JSONResponse(_shown(request, kind, state.store.get(kind, namespace, name).item))


@objects.post("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
async def create_object(
    request: Request, state: State, kind: Kind, namespace: str, body: Document
) -> Response:
    """Create an Experiment and start it."""
    _refuse_if_read_only(kind)
    accepted = state.create(body, namespace, dry_run=_is_dry(request))
    return _show_accepted(request, accepted, HTTPStatus.CREATED)


@objects.put("/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}")
async def replace_object(
    request: Request, state: State, kind: Kind, namespace: str, name: str, body: Document
) -> Response:
    """Change an Experiment to the one given."""
    entry = _writable(state, kind, namespace, name)
    if not isinstance(body, dict):
        raise bad_request("the body is no object")
    return _show_accepted(request, await state.change(entry, body, dry_run=_is_dry(request)))


@objects.patch("/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}")
async def patch_object(
    request: Request, state: State, kind: Kind, namespace: str, name: str, body: Document
) -> Response:
    """Change the fields of an Experiment that are named."""
    entry = _writable(state, kind, namespace, name)
    content_type = request.headers.get("content-type", MERGE).partition(";")[0]
    if content_type not in {MERGE, JSON_PATCH}:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            f"{content_type} is not supported here, {MERGE} and {JSON_PATCH} are",
        )
    changed = apply_patch(entry.item, body, content_type)
    return _show_accepted(request, await state.change(entry, changed, dry_run=_is_dry(request)))


@objects.delete("/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}")
async def delete_object(
    request: Request, state: State, kind: Kind, namespace: str, name: str
) -> JsonObject:
    """Delete an Experiment with all of its runs."""
    entry = _writable(state, kind, namespace, name)
    if not _is_dry(request):
        await state.delete(entry)
    return _deleted(kind, entry)


@objects.delete("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
async def delete_objects(request: Request, state: State, kind: Kind, namespace: str) -> JsonObject:
    """Delete the Experiments that are selected."""
    _refuse_if_read_only(kind)
    query = request.query_params
    chosen = ObjectSelection(
        kind, namespace, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    found = [each for each in state.store.select(kind, namespace) if chosen.includes(each)]
    for entry in found:
        if not _is_dry(request):
            await state.delete(entry)
    return _list_document(state, kind, [entry.item for entry in found])


def _writable(state: Changes, kind: Resource, namespace: str, name: str) -> Entry:
    _refuse_if_read_only(kind)
    return state.store.get(kind, namespace, name)


def _refuse_if_read_only(kind: Resource) -> None:
    if kind is not EXPERIMENTS:
        raise not_allowed(kind, "the local engine makes them, from Experiments")


def _is_dry(request: Request) -> bool:
    return request.query_params.get("dryRun") == "All"


def _shown(request: Request, kind: Resource, item: JsonObject) -> JsonObject:
    """Return an object as the client wants it: whole, or as a table."""
    if TABLE not in request.headers.get("accept", ""):
        return item
    version = item["metadata"].get("resourceVersion", "")
    return render_table(kind, [item], version=version, now=datetime.now(UTC))


def _show_list(
    request: Request, state: Changes, kind: Resource, items: list[JsonObject]
) -> Response:
    if TABLE in request.headers.get("accept", ""):
        version = str(state.store.version)
        return JSONResponse(render_table(kind, items, version=version, now=datetime.now(UTC)))
    return JSONResponse(_list_document(state, kind, items))


def _list_document(state: Changes, kind: Resource, items: list[JsonObject]) -> JsonObject:
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(state.store.version), "continue": ""},
        "items": items,
    }


def _show_accepted(
    request: Request, accepted: Accepted, code: HTTPStatus = HTTPStatus.OK
) -> Response:
    """Answer with the object; lint's words are warnings, which kubectl prints."""
    answer = JSONResponse(_shown(request, EXPERIMENTS, accepted.item), code)
    for finding in accepted.findings:
        text = f"{finding.code} {finding.description}".encode("ascii", "replace").decode()
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.append("Warning", f'299 - "{" ".join(quoted.split())}"')
    return answer


def _deleted(kind: Resource, entry: Entry) -> JsonObject:
    metadata = entry.item["metadata"]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": object_details(kind, metadata["name"], metadata["uid"]),
    }


def _namespace(name: str) -> JsonObject:
    return {
        "kind": NAMESPACES.kind,
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "labels": INJECTION,
            "creationTimestamp": "1970-01-01T00:00:00Z",
        },
        "spec": {"finalizers": []},
        "status": {"phase": "Active"},
    }
