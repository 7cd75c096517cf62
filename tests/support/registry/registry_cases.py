"""Cases on a real Model Registry, each with a model of its own; it needs the extra `clients`."""

import uuid
from collections.abc import Sequence
from typing import Any

import httpx

from registry import Entry, Promotion
from registry.kubeflow import KubeflowLedger, RegistryClient, Timeouts
from registry.kubeflow.records import ServeRecord
from support.registry.ledgers import outcome, promotion

STORE = "pvc://tunegate-models"
API = "/api/model_registry/v1alpha3"
A = "a" * 64
B = "b" * 64  # packages
Object = dict[str, Any]  # of JSON
Properties = dict[str, dict[str, str]]


class RegistryCase:
    """A model of its own on the real server; `direct` is its ledger, `ledger` makes others."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.direct = self.ledger(url)

    def ledger(self, url: str, timeouts: Timeouts | None = None, **options: Any) -> KubeflowLedger:  # noqa: ANN401 - the ledger's own options, each of its type
        return KubeflowLedger(
            RegistryClient(url, timeouts=timeouts),
            store_uri=STORE,
            environment=self.name,
            **options,
        )

    def promotion(self, number: int = 1, **changes: object) -> Promotion:
        return promotion(number, model=self.name, **changes)

    def history(self) -> Sequence[Entry]:
        return self.direct.history(self.name)

    def advance(self, *packages: str) -> None:
        """Promote these packages, each until it is live."""
        for package in packages:
            number = len(self.history()) + 1
            self.direct.create(self.promotion(number, sha256=package))
            self.direct.close(self.name, number, outcome())

    def get(self, path: str, **query: str) -> Object:
        answer = httpx.get(self.url + API + path, params=query)
        answer.raise_for_status()
        found: Object = answer.json()
        return found

    def service(self) -> Object:
        environment = self.get("/serving_environment", name=self.name)
        return self.get("/inference_service", name=self.name, parentResourceId=environment["id"])

    def names(self) -> list[str]:
        """Return the names of all ServeModels."""
        items = self.get(f"/inference_services/{self.service()['id']}/serves", pageSize="100")[
            "items"
        ]
        return sorted(item["name"] for item in items)

    def versions(self) -> list[Object]:
        model = self.get("/registered_model", name=self.name)
        found: list[Object] = self.get(f"/registered_models/{model['id']}/versions")["items"]
        return found

    def write(self, name: str, record: ServeRecord) -> None:
        """Write a record under any name, as one does whose request has long been under way."""
        post_record(self.url, self.service(), name, properties(record))


def post_record(url: str, service: Object, name: str, properties: Properties) -> None:
    with httpx.Client(base_url=url + API) as client:
        post_by(client, service, name, properties)


def post_by(client: httpx.Client, service: Object, name: str, properties: Properties) -> None:
    """Make a ServeModel of this name in a service."""
    body = {
        "name": name,
        "modelVersionId": service["modelVersionId"],
        "customProperties": properties,
    }
    client.post(f"/inference_services/{service['id']}/serves", json=body).raise_for_status()


def properties(record: ServeRecord) -> Properties:
    return {key: string_value(value) for key, value in record.properties.items()}


def string_value(value: str) -> dict[str, str]:
    return {"metadataType": "MetadataStringValue", "string_value": value}
