"""The registry behind https: whose certificate counts."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.serving.proxy import Proxy, running_proxy

pytest.importorskip("mr_openapi")
from registry import LedgerError, Unreachable
from registry.kubeflow import RegistryClient

pytestmark = [
    pytest.mark.skipif(not shutil.which("openssl"), reason="certificates are made with openssl"),
    pytest.mark.usefixtures("no_pauses"),
]
EMPTY = b'{"items":[],"nextPageToken":"","pageSize":1,"size":0}'


class EmptyRegistry(Proxy):
    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        return 200, EMPTY


def make_certificate(certificates: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate and its key."""
    made = certificates / f"{name}.pem"
    key = certificates / f"{name}.key"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days 2 -subj /CN=registry"
    )
    alternative = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(made), "-keyout", str(key)]
    subprocess.run([*command.split(), *alternative], check=True, capture_output=True)
    return made, key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def url(certificates: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(certificates, "own"))
    with running_proxy(EmptyRegistry("http://nowhere.invalid"), tls=context) as server:
        yield server.url


def read_models(client: RegistryClient) -> list[object]:
    found: list[object] = client.run(lambda api: api.get_registered_models()).items
    return found


def test_a_server_whose_certificate_is_trusted_is_read(url: str, certificates: Path) -> None:
    client = RegistryClient(url, ca=certificates / "own.pem")
    assert read_models(client) == read_models(client) == []


@pytest.mark.parametrize("other", [True, False])
def test_a_server_whose_certificate_is_not_trusted_is_unreachable(
    url: str, certificates: Path, *, other: bool
) -> None:
    ca = make_certificate(certificates, "other")[0] if other else None
    with pytest.raises(Unreachable, match=r"(?i)certificate") as refused:
        read_models(RegistryClient(url, ca=ca))
    assert refused.value.hint


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_named(
    url: str, tmp_path: Path, content: bytes | None
) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_bytes(content)
    with pytest.raises(LedgerError, match=r"ca\.pem") as refused:
        read_models(RegistryClient(url, ca=ca))
    assert type(refused.value) is LedgerError
    assert "ledger_ca" in refused.value.hint


def test_http_spoken_to_a_server_of_https_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable):
        read_models(RegistryClient(url.replace("https", "http")))
