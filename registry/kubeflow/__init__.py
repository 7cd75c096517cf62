"""The ledger in a Kubeflow Model Registry.

`client` speaks to the server through the official client, `objects` keeps what people look at, `ledger` is the port's
adapter. Nothing is imported from here unless a registry's address is configured.
"""

from registry.kubeflow.client import Client, Timeouts
from registry.kubeflow.ledger import KubeflowLedger

__all__ = ["Client", "KubeflowLedger", "Timeouts"]
