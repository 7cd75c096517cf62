"""The registry's objects: found, or created if they are missing.

    RegisteredModel <model> ── ModelVersion <12 digits of sha256> ── ModelArtifact    for people
    ServingEnvironment production ── InferenceService <model> ── ServeModel           the ledger

The registry has no conditional update, but names are unique below their parent and a second
creation answers 409 (checked with 8 writers on servers 0.2.19 and 0.3.8). So nothing here depends
on reading before writing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import mr_openapi as mr
from mr_openapi.exceptions import ConflictException, NotFoundException

from registry.kubeflow.records import ServeRecord
from registry.ledger import Promotion

T = TypeVar("T")
RUNTIME = "tunegate"
FORMAT = "tunegate-package"
FORMAT_VERSION = "1"
DIGITS = 12
NOTHING = "none"  # a ModelVersion's name; the others' are digits
PAGE = "100"  # for more, server 0.2.19 lists 101 and claims that these are all


class _Identified(Protocol):
    id: str | None


@dataclass(frozen=True, slots=True)
class RegistryObjects:
    """Our models' objects on one server.

    Args:
        api: an open session.
        store_uri: address of the model store that contains the artifacts.
        environment: name of the ServingEnvironment.
    """

    api: mr.ModelRegistryServiceApi
    store_uri: str
    environment: str

    async def service(self, model: str) -> str | None:
        """Return the id of the model's InferenceService, the parent of its ledger's records.

        None before the first promotion.
        """
        found = await self._find_service(model)
        return _require_id(found) if found else None

    async def _find_service(self, model: str) -> mr.InferenceService | None:
        environment = await _find_or_none(self.api.find_serving_environment(name=self.environment))
        if environment is None:
            return None
        return await _find_or_none(
            self.api.find_inference_service(name=model, parent_resource_id=_require_id(environment))
        )

    async def ensure_challenged(self, model: str) -> tuple[str, str]:
        """Return the ids of the ModelVersion that is challenged and of the InferenceService.

        Before the first promotion, a version without an artifact stands for none.
        """
        found = await self._find_service(model)
        if found and found.model_version_id:
            return found.model_version_id, _require_id(found)
        registered = await self._ensure_model(model)
        nothing = mr.ModelVersion(
            name=NOTHING,
            registered_model_id=registered,
            description="stands for no model: nothing was promoted yet",
            state=mr.ModelVersionState.ARCHIVED,
        )
        version = await _find_or_create(
            lambda: self.api.find_model_version(name=NOTHING, parent_resource_id=registered),
            lambda: self.api.create_registered_model_version(registered, nothing),
        )
        return version, await self.ensure_service(model, version)

    async def ensure(self, promotion: Promotion) -> tuple[str, str]:
        """Return the ids of the package's ModelVersion and of the model's InferenceService."""
        version = await self.ensure_version(promotion)
        return version, await self.ensure_service(promotion.model, version)

    async def ensure_service(self, name: str, version: str) -> str:
        """Return the InferenceService's id; one that is created here serves nothing yet."""
        environment = await _find_or_create(
            lambda: self.api.find_serving_environment(name=self.environment),
            lambda: self.api.create_serving_environment(
                mr.ServingEnvironmentCreate(name=self.environment)
            ),
        )
        model = await self._ensure_model(name)
        service = mr.InferenceServiceCreate(
            name=name,
            registered_model_id=model,
            serving_environment_id=environment,
            model_version_id=version,  # if empty, the server takes the newest version as served
            runtime=RUNTIME,
            desired_state=mr.InferenceServiceState.UNDEPLOYED,
        )
        return await _find_or_create(
            lambda: self.api.find_inference_service(name=name, parent_resource_id=environment),
            lambda: self.api.create_environment_inference_service(environment, service),
        )

    async def ensure_version(self, promotion: Promotion) -> str:
        """Return the id of the package's ModelVersion; it has an artifact."""
        model = await self._ensure_model(promotion.model)
        name = promotion.sha256[:DIGITS]
        description = None
        if promotion.trial:
            description = f"trial {promotion.trial} of {promotion.experiment}"
        version = mr.ModelVersion(
            name=name,
            registered_model_id=model,
            author=promotion.actor or None,
            description=description,
            custom_properties=_string_properties(_promotion_facts(promotion)),
        )
        found = await _find_or_create(
            lambda: self.api.find_model_version(name=name, parent_resource_id=model),
            lambda: self.api.create_registered_model_version(model, version),
        )
        await self._ensure_artifact(found, promotion)
        return found

    async def deploy(self, service: str, version: str) -> None:
        """Show people the version in production; the ledger does not read it."""
        update = mr.InferenceServiceUpdate(
            model_version_id=version,
            desired_state=mr.InferenceServiceState.DEPLOYED,
            runtime=RUNTIME,
        )
        await self.api.update_inference_service(service, update)

    async def write(self, service: str, name: str, record: ServeRecord) -> None:
        """Create a ServeModel of this name; raises the client's ConflictException if it exists."""
        serve = mr.ServeModelCreate(
            name=name,
            model_version_id=record.version,
            last_known_state=record.state,
            custom_properties=_string_properties(record.properties),
        )
        await self.api.create_inference_service_serve(service, serve)

    async def records(self, service: str) -> list[mr.ServeModel]:
        """Return all ServeModels of a service."""
        found: list[mr.ServeModel] = []
        token = ""
        while True:
            page = await self.api.get_inference_service_serves(
                service, page_size=PAGE, next_page_token=token or None
            )
            found += page.items
            if not page.next_page_token:
                return found
            if page.next_page_token == token:
                raise ValueError(f"page {token} of the records is followed by itself")
            token = page.next_page_token

    async def _ensure_model(self, name: str) -> str:
        return await _find_or_create(
            lambda: self.api.find_registered_model(name=name),
            lambda: self.api.create_registered_model(
                mr.RegisteredModelCreate(name=name, owner=RUNTIME)
            ),
        )

    async def _ensure_artifact(self, version: str, promotion: Promotion) -> None:
        page = await self.api.get_model_version_artifacts(version, page_size="1")
        if page.items:
            return
        artifact = mr.ModelArtifact(
            artifact_type="model-artifact",
            name=promotion.sha256[:DIGITS],
            uri=f"{self.store_uri}/models/{promotion.sha256}",
            model_format_name=FORMAT,
            model_format_version=FORMAT_VERSION,
            model_source_kind="katib",
            model_source_class="Trial",
            model_source_group=promotion.experiment or None,
            model_source_name=promotion.trial or None,
            state=mr.ArtifactState.LIVE,
        )
        try:
            await self.api.upsert_model_version_artifact(version, mr.Artifact(artifact))
        except ConflictException:  # another writer of the same package was faster
            return


def _promotion_facts(promotion: Promotion) -> dict[str, str]:
    names = ("sha256", "fingerprint", "experiment", "trial", "git_commit")
    facts = {name: getattr(promotion, name) for name in names if getattr(promotion, name)}
    if promotion.metric and promotion.score is not None:
        facts[promotion.metric] = f"{promotion.score:.17g}"
    return facts


def _string_properties(facts: Mapping[str, str]) -> dict[str, mr.MetadataValue]:
    """Return facts as strings: a property's type must never change, and integers have 32 bits."""
    return {
        name: mr.MetadataValue(
            mr.MetadataStringValue(string_value=value, metadata_type="MetadataStringValue")
        )
        for name, value in facts.items()
    }


async def _find_or_none(search: Awaitable[T]) -> T | None:
    try:
        return await search
    except NotFoundException as error:
        if error.data is None:
            # Not the registry's answer: a gateway without a route must not look like an empty
            # ledger.
            raise
        return None


def _require_id(found: _Identified) -> str:
    if not found.id:
        raise ValueError("an object without id")
    return found.id


async def _find_or_create(
    find: Callable[[], Awaitable[_Identified]], create: Callable[[], Awaitable[_Identified]]
) -> str:
    found = await _find_or_none(find())
    if found is None:
        try:
            found = await create()
        except ConflictException:
            found = await find()
    return _require_id(found)
