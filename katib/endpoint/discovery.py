"""What clients ask first: versions, groups, resources, and as much of OpenAPI as kubectl needs."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from katib.endpoint import resources
from katib.objects import JsonObject

discovery = APIRouter()


@discovery.get("/version")
def show_version() -> JsonObject:
    """Answer with the version of Kubernetes that this is a part of."""
    return resources.version_document()


@discovery.get("/healthz")
@discovery.get("/livez")
@discovery.get("/readyz")
def show_health() -> Response:
    """Answer that the endpoint works."""
    return Response("ok", media_type="text/plain")


@discovery.get("/api")
def show_core_versions() -> JsonObject:
    """Answer with the versions of Kubernetes' core."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


@discovery.get("/apis")
def show_groups() -> JsonObject:
    """Answer with all other groups."""
    groups = [resources.group_document(group) for group in resources.GROUPS]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


@discovery.get("/apis/{group}")
def show_group(group: str) -> JsonObject:
    """Answer with the versions of a group."""
    found = resources.group_document(group)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


@discovery.get("/api/v1")
def show_core_resources() -> JsonObject | None:
    """Answer with the resources of Kubernetes' core."""
    return resources.resource_list("v1")


@discovery.get("/apis/{group}/{version}")
def show_resources(group: str, version: str) -> JsonObject:
    """Answer with the resources of a group."""
    found = resources.resource_list(f"{group}/{version}")
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


@discovery.get("/openapi/v3")
def show_schemas() -> JsonObject:
    """Answer with the places of the descriptions of groups."""
    return resources.openapi_index()


@discovery.get("/openapi/v3/apis/kubeflow.org/v1beta1")
def show_schema() -> JsonObject:
    """Answer with the description of Katib's group."""
    return resources.openapi_document()
