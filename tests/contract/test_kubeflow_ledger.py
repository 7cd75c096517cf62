"""The Kubeflow adapter under the port's contract, on a real Model Registry, also behind v1."""

import uuid
from collections.abc import Iterator

import pytest
from contract.ledger import Connect, LedgerContract
from support.serving.proxy import Proxy, running_proxy

pytest.importorskip("mr_openapi")
from registry import Ledger
from registry.kubeflow import KubeflowLedger, RegistryClient, Timeouts

pytestmark = pytest.mark.cluster


class V1(Proxy):
    """Lets a server look like one that serves v1, and the alpha API no more."""

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        if "/v1/" not in path:
            return 410, b'{"code":"","message":"gone"}'
        return path.replace("/v1/", "/v1alpha3/", 1)


@pytest.fixture(scope="module")
def v1(server: str) -> Iterator[str]:
    with running_proxy(V1(server)) as proxy:
        yield proxy.url


class _OnServer(LedgerContract):
    @pytest.fixture
    def url(self, server: str) -> str:
        return server

    @pytest.fixture
    def connect(self, url: str) -> Connect:
        environment = (
            f"test-{uuid.uuid4().hex[:12]}"  # a ledger of its own: the server deletes nothing
        )
        return lambda: KubeflowLedger(
            RegistryClient(url), store_uri="pvc://tunegate-models", environment=environment
        )

    @pytest.fixture
    def unreachable(self) -> Ledger:
        return KubeflowLedger(
            RegistryClient("http://127.0.0.1:9", timeouts=Timeouts(0.2, 0.2)),
            store_uri="file:///nowhere",
        )


class TestServedByAReleasedServer(_OnServer):
    pass


class TestServedUnderV1(_OnServer):
    @pytest.fixture
    def url(self, v1: str) -> str:
        return v1
