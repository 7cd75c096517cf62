"""The registry's client, and what tests do through it; it needs the extra `clients`."""

import mr_openapi as mr

from registry.kubeflow import KubeflowLedger, RegistryClient, Timeouts

SHORT = Timeouts(connect=0.2, read=0.2)


def list_models(client: RegistryClient) -> mr.RegisteredModelList:
    return client.run(lambda api: api.get_registered_models())


def create_model(client: RegistryClient) -> mr.RegisteredModel:
    return client.run(
        lambda api: api.create_registered_model(mr.RegisteredModelCreate(name="houses"))
    )


def update_model(client: RegistryClient) -> mr.RegisteredModel:
    return client.run(
        lambda api: api.update_registered_model("1", mr.RegisteredModelUpdate(description="x"))
    )


def make_ledger(url: str) -> KubeflowLedger:
    return KubeflowLedger(RegistryClient(url, timeouts=SHORT), store_uri="file:///nowhere")
