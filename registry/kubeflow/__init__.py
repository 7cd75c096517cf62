"""The ledger in a Kubeflow Model Registry.

`client` calls the server through the official client (`session`), `objects` keeps what people look
at, `records` names and reads the ledger's records, `ledger` is the port's adapter. Nothing is
imported from here unless a registry's address is configured.
"""

from registry.kubeflow.client import RegistryClient
from registry.kubeflow.ledger import KubeflowLedger
from registry.kubeflow.session import Timeouts

__all__ = ["KubeflowLedger", "RegistryClient", "Timeouts"]
