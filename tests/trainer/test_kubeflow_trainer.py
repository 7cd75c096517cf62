"""Metrics pushed as a TrainJob's: to a real server with a certificate of its own."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.serving.proxy import Proxy, running_proxy

from registry.package import load_package
from trainer import kubeflow_trainer as status
from trainer.__main__ import main

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="certificates are made with openssl"
)
Capture = pytest.CaptureFixture[str]
PATH = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs/trial-1/status"
TRIAL = ["--data", "iris", "--n-estimators", "3"]


class FakeStatusServer(Proxy):
    """Answers each push with the next of its codes, the last one again and again."""

    def __init__(self) -> None:
        super().__init__("http://nowhere.invalid")
        self.codes = [200]
        self.pushes = list[tuple[str, str, dict[str, Any]]]()

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if headers.get("Authorization") != "Bearer secret":
            return 401, b"who are you?"
        return super().answer(method, path, headers, body)

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.pushes.append((method, path, json.loads(body)["trainerStatus"]))
        return (
            self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        ), b'{"message": "so it is"}'


@pytest.fixture(scope="module")
def server_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days 2 -subj /CN=trainer"
    )
    alternative = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-out",
        str(folder / "ca.crt"),
        "-keyout",
    ]
    subprocess.run(
        [*command.split(), *alternative, str(folder / "key")], check=True, capture_output=True
    )
    return folder / "ca.crt"


@pytest.fixture
def status_server(
    server_certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeStatusServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_certificate, server_certificate.with_name("key"))
    (tmp_path / "token").write_text("secret\n")
    with running_proxy(FakeStatusServer(), tls=context) as server:
        assert isinstance(server, FakeStatusServer)
        monkeypatch.setenv(status.URL, server.url + PATH)
        monkeypatch.setenv(status.CA_CERT, str(server_certificate))
        monkeypatch.setenv(status.TOKEN, str(tmp_path / "token"))
        monkeypatch.setattr(status, "RETRY_PAUSES", (0.0, 0.0))
        yield server


def test_the_result_is_pushed_once_the_package_is_there(
    status_server: FakeStatusServer,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(status, "INTERVAL", 0.0)
    assert main([*TRIAL, "--output", str(tmp_path / "package")]) == 0
    folds = load_package(tmp_path / "package").manifest.cross_validation.folds
    assert {(method, path) for method, path, _ in status_server.pushes} == {("POST", PATH)}
    shares = [push["progressPercentage"] for *_, push in status_server.pushes]
    assert shares == [16, 33, 50, 66, 100]
    first, *_, last = [push for *_, push in status_server.pushes]
    assert first["metrics"] == [{"name": "log_loss", "value": repr(folds[0])}]
    assert [
        f"{metric['name']}={metric['value']}" for metric in last["metrics"]
    ] == capsys.readouterr().out.splitlines()
    age = datetime.now(UTC) - datetime.fromisoformat(last["lastUpdatedTime"])
    assert abs(age.total_seconds()) < 300


def test_pushes_within_five_seconds_of_the_last_are_left_out(
    status_server: FakeStatusServer,
) -> None:
    assert main(TRIAL) == 0
    assert [push["progressPercentage"] for *_, push in status_server.pushes][:1] == [16]
    assert len(status_server.pushes) <= 3


def test_a_failing_push_is_said_and_the_result_is_tried_again(
    status_server: FakeStatusServer, capsys: Capture
) -> None:
    status_server.codes = [500, 503, 200]
    assert main(TRIAL) == 0
    out, err = capsys.readouterr()
    assert "note: the TrainJob's status was not updated: HTTP 500" in err
    assert "log_loss=" in out


def test_a_result_that_does_not_arrive_fails_the_trial(
    status_server: FakeStatusServer, capsys: Capture
) -> None:
    status_server.codes = [403]
    assert main(TRIAL) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "the metrics could not be sent: HTTP 403" in err
    assert "so it is" in err
    assert f"unset {status.URL}" in err


@pytest.mark.parametrize("change", ["certificate", "token", "address"])
def test_so_does_what_makes_the_server_unreachable(
    status_server: FakeStatusServer,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: str,
) -> None:
    if change == "certificate":
        monkeypatch.delenv(status.CA_CERT)
        monkeypatch.setenv(
            status.CA_CERT, ssl.get_default_verify_paths().cafile or str(tmp_path / "none")
        )
    elif change == "token":
        (tmp_path / "token").unlink()
    else:
        monkeypatch.setenv(status.URL, "https://[::1")
    assert main(TRIAL) == 1
    assert "the metrics could not be sent" in capsys.readouterr().err
    assert status_server.pushes == []


def test_half_an_environment_is_refused_before_anything_is_fitted(
    status_server: FakeStatusServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(status.TOKEN)
    assert main(TRIAL) == 2
    assert f"{status.URL} is set, {status.TOKEN} not" in capsys.readouterr().err
    assert status_server.pushes == []
