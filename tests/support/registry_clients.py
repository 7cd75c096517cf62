"""The registry's client, and what tests do through it; it needs the extra `clients`."""

from typing import Any

import mr_openapi as mr

from registry.kubeflow import Client, KubeflowLedger, Timeouts

SHORT = Timeouts(connect=0.2, read=0.2)


def read(client: Client) -> Any:  # noqa: ANN401 - the client's
    return client.run(lambda api: api.get_registered_models())


def write(client: Client) -> Any:  # noqa: ANN401 - likewise
    return client.run(lambda api: api.create_registered_model(mr.RegisteredModelCreate(name="houses")))


def patch(client: Client) -> Any:  # noqa: ANN401 - likewise
    return client.run(lambda api: api.update_registered_model("1", mr.RegisteredModelUpdate(description="x")))


def ledger(url: str) -> KubeflowLedger:
    return KubeflowLedger(Client(url, timeouts=SHORT), store_uri="file:///nowhere")
