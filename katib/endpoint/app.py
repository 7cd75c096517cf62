"""The FastAPI application: paths of the Kubernetes API over an `ObjectStore`."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from katib.endpoint.access import Access
from katib.endpoint.changes import Accepted, Changes
from katib.endpoint.patches import JSON_PATCH, MERGE, apply_patch
from katib.endpoint.pod_logs import stream_log
from katib.endpoint.refusals import Refusal, bad_request, object_details
from katib.endpoint.resources import DISCOVERY, EXPERIMENTS, PODS, RESOURCES, Resource
from katib.endpoint.run_objects import Entry, namespace_document
from katib.endpoint.selectors import ObjectSelection
from katib.endpoint.tables import TABLE, render_table
from katib.endpoint.watching import Watch
from katib.objects import JsonObject

TRUE = frozenset({"true", "True", "1"})
CLUSTER = "/apis/{group}/{version}/{plural}"
NAMESPACED = "/apis/{group}/{version}/namespaces/{namespace}/{plural}"
CORE = "/api/v1/namespaces/{namespace}/{plural}"
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
    for kind in (Refusal, HTTPException, RequestValidationError, RecursionError):
        app.add_exception_handler(kind, _answer_refusal)
    for path, document in DISCOVERY.items():
        app.add_api_route(path, _always(JSONResponse(document)))
    for path in ("/healthz", "/livez", "/readyz"):
        app.add_api_route(path, _always(Response("ok", media_type="text/plain")))
    app.include_router(objects)
    return app


def _always(answer: Response) -> Callable[[], Response]:
    return lambda: answer


def _answer_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        code = HTTPStatus(getattr(error, "status_code", HTTPStatus.BAD_REQUEST))
        text = "the body has to be JSON, not too deeply nested, and its Content-Type has to say so"
        if code != HTTPStatus.BAD_REQUEST:
            path = f"{request.method} {request.url.path}"
            text = f"the server could not find the requested resource: {path}"
        error = Refusal(code, text)
    return JSONResponse(error.to_status(), error.code)


async def _changes(request: Request) -> Changes:
    """Return the application's state, after a look at the folders."""
    changes: Changes = request.app.state.changes
    changes.store.refresh()
    return changes


async def _resource(request: Request, plural: str) -> Resource:
    """Return the kind of objects that a path is about."""
    path = request.path_params
    found = RESOURCES.get((path.get("group", ""), plural))
    if found is None or found.version != path.get("version", found.version):
        raise Refusal(HTTPStatus.NOT_FOUND, f"there is no {plural} here")
    return found


async def _writable(request: Request, plural: str) -> Resource:
    """Return the kind of a path whose objects may be changed."""
    kind = await _resource(request, plural)
    if kind is not EXPERIMENTS:
        text = f"the server does not allow this method on {kind.full_name}: "
        why = "the local engine makes them, from Experiments"
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, text + why)
    return kind


async def _selection(request: Request, plural: str, namespace: str = "") -> ObjectSelection:
    """Return which objects a request is about."""
    query = request.query_params
    labels = query.get("labelSelector", "")
    kind = await _resource(request, plural)
    return ObjectSelection(kind, namespace, labels, query.get("fieldSelector", ""))


async def _is_dry(request: Request) -> bool:
    """Whether nothing is to be changed; kubectl says so of a deletion in the body."""
    options: object = None
    if request.method == "DELETE" and await request.body():
        try:
            options = await request.json()
        except ValueError:
            raise bad_request("the body has to be JSON") from None
    in_body = isinstance(options, dict) and bool(options.get("dryRun"))
    return in_body or "dryRun" in request.query_params


State = Annotated[Changes, Depends(_changes)]
Kind = Annotated[Resource, Depends(_resource)]
WritableKind = Annotated[Resource, Depends(_writable)]


async def _target(state: State, kind: WritableKind, namespace: str, name: str) -> Entry:
    """Return the object that is to be changed."""
    return state.store.get(kind, namespace, name)


Target = Annotated[Entry, Depends(_target)]
Chosen = Annotated[ObjectSelection, Depends(_selection)]
Dry = Annotated[bool, Depends(_is_dry)]
Document = Annotated[object, Body()]


@objects.get("/api/v1/namespaces/{name}")
def show_namespace(name: str) -> JsonObject:
    """Answer with a namespace, also with one that holds nothing."""
    return namespace_document(name)


@objects.get("/api/v1/namespaces/{namespace}/pods/{name}/log")
async def show_log(request: Request, state: State, namespace: str, name: str) -> Response:
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
    content = stream_log(path, tail, follow=query.get("follow") in TRUE, ended=ended)
    return StreamingResponse(content, media_type="text/plain; charset=utf-8")


@objects.get("/api/v1/{plural}")
@objects.get(CORE)
@objects.get(CLUSTER)
@objects.get(NAMESPACED)
async def list_objects(request: Request, state: State, chosen: Chosen) -> Response:
    """Answer with the objects of a kind, or with their changes as they come."""
    query = request.query_params
    if query.get("watch") in TRUE:
        watch = Watch(state.store, chosen, lambda item: _shown(request, chosen.resource, item))
        return StreamingResponse(watch.events(query), media_type="application/json")
    return _show_list(request, state, chosen.resource, state.store.select(chosen))


@objects.get(CORE + "/{name}")
@objects.get(CLUSTER + "/{name}")
@objects.get(NAMESPACED + "/{name}")
@objects.get(NAMESPACED + "/{name}/status")
async def show_object(
    request: Request, state: State, kind: Kind, name: str, namespace: str = ""
) -> Response:
    """Answer with one object."""
    return JSONResponse(_shown(request, kind, state.store.get(kind, namespace, name).item))


@objects.post(NAMESPACED, dependencies=[Depends(_writable)])
async def create_object(
    request: Request, state: State, namespace: str, body: Document, dry: Dry
) -> Response:
    """Create an Experiment and start it."""
    accepted = state.create(body, namespace, dry_run=dry)
    return _show_accepted(request, accepted, HTTPStatus.CREATED)


@objects.put(NAMESPACED + "/{name}")
async def replace_object(
    request: Request, state: State, target: Target, body: Document, dry: Dry
) -> Response:
    """Change an Experiment to the one given."""
    if not isinstance(body, dict):
        raise bad_request("the body is no object")
    return _show_accepted(request, await state.change(target, body, dry_run=dry))


@objects.patch(NAMESPACED + "/{name}")
async def patch_object(
    request: Request, state: State, target: Target, body: Document, dry: Dry
) -> Response:
    """Change the fields of an Experiment that are named."""
    form = request.headers.get("content-type", MERGE).partition(";")[0]
    if form not in {MERGE, JSON_PATCH}:
        text = f"{form} is not supported here, {MERGE} and {JSON_PATCH} are"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text)
    changed = apply_patch(target.item, body, form)
    return _show_accepted(request, await state.change(target, changed, dry_run=dry))


@objects.delete(CORE + "/{name}")
@objects.delete(NAMESPACED + "/{name}")
async def delete_object(state: State, target: Target, dry: Dry) -> JsonObject:
    """Delete an Experiment with all of its runs."""
    if not dry:
        await state.delete(target)
    metadata = target.item["metadata"]
    details = object_details(target.resource, metadata["name"], uid=metadata["uid"])
    about = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return {**about, "status": "Success", "details": details}


@objects.delete(NAMESPACED, dependencies=[Depends(_writable)])
async def delete_objects(request: Request, state: State, chosen: Chosen, dry: Dry) -> Response:
    """Delete the Experiments that are selected."""
    found = state.store.select(chosen)
    for entry in found:
        if not dry:
            await state.delete(entry)
    return _show_list(request, state, chosen.resource, found)


def _shown(request: Request, kind: Resource, item: JsonObject) -> JsonObject:
    """Return an object as the client wants it: whole, or as a table."""
    if TABLE in request.headers.get("accept", ""):
        return render_table(kind, [item], version=item["metadata"].get("resourceVersion", ""))
    return item


def _show_list(
    request: Request, state: Changes, kind: Resource, entries: Sequence[Entry]
) -> Response:
    items = [entry.item for entry in entries]
    version = str(state.store.version)
    if TABLE in request.headers.get("accept", ""):
        return JSONResponse(render_table(kind, items, version=version))
    listed = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "items": items}
    return JSONResponse({**listed, "metadata": {"resourceVersion": version, "continue": ""}})


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
