"""The smoke test passes against the real server, and each of its checks can fail."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.cli import free_port
from support.patience import patience
from support.promotion.gate_cases import GateCase
from support.serving.servers import Answer, fake, honest, listening, serving

from promote.smoke import SmokeReport, smoke_test
from registry import ModelStore
from registry.package import ModelPackage

CHECKS = ["version", "health", "golden predictions", "bad input", "latency"]


def outcome(report: SmokeReport) -> dict[str, bool]:
    return {check.name: check.passed for check in report.checks}


def only(report: SmokeReport, failed: str) -> str:
    """Assert that this check failed and all others passed; return what it says."""
    assert outcome(report) == {name: name != failed for name in CHECKS}
    assert not report.passed
    return next(check.detail for check in report.checks if not check.passed)


Change = Callable[[str, bytes, Answer], Answer]


def smoke_a_fake(package: ModelPackage, change: Change, **options: Any) -> SmokeReport:  # noqa: ANN401
    """Smoke-test a server that answers honestly but for this change."""
    good = honest(package)
    with fake(lambda path, body: change(path, body, good(path, body))) as url:
        return smoke_test(
            url, package, **{"timeout": patience(0.3), "max_latency": patience(0.25), **options}
        )


def predicting(content: bytes) -> Change:
    """Answer good rows with this."""
    return lambda path, _, answer: (
        (200, answer[1], content) if path == "/predict" and answer[0] == 200 else answer
    )


@pytest.mark.parametrize("which", ["good", "poor"])
def test_the_real_server_passes_every_check(homes: GateCase, tmp_path: Path, which: str) -> None:
    package: ModelPackage = getattr(homes, which)
    with serving(ModelStore(tmp_path / "store"), package) as client:
        report = smoke_test(
            str(client.base_url), package, timeout=patience(5), max_latency=patience(5)
        )
    assert report.passed, report.failures
    assert list(outcome(report)) == CHECKS
    assert report.failures == ""


def test_a_classifiers_server_passes_every_check(flowers: GateCase, tmp_path: Path) -> None:
    with serving(ModelStore(tmp_path / "store"), flowers.good) as client:
        assert smoke_test(
            str(client.base_url), flowers.good, timeout=patience(5), max_latency=patience(5)
        ).passed


def test_an_honest_fake_passes_so_that_the_fakes_below_fail_for_their_own_reason(
    toys: list[ModelPackage],
) -> None:
    assert smoke_a_fake(toys[0], lambda _path, _body, answer: answer).passed


def test_nobody_there_fails_after_the_time_that_was_given(toys: list[ModelPackage]) -> None:
    with fake(honest(toys[0])) as url:
        pass
    report = smoke_test(url, toys[0], timeout=0.2)
    assert outcome(report) == {"version": False}
    assert "serves nothing after 0.2 s" in report.failures


def test_a_server_of_another_version_fails_and_both_are_named(toys: list[ModelPackage]) -> None:
    with fake(honest(toys[1])) as url:
        report = smoke_test(url, toys[0], timeout=0.2)
    assert outcome(report) == {"version": False}
    assert toys[1].digest[:12] in report.failures
    assert toys[0].digest[:12] in report.failures


def test_the_version_is_awaited(toys: list[ModelPackage]) -> None:
    seen: list[str] = []

    def late(path: str, _: bytes, answer: Answer) -> Answer:
        seen.append(path)
        return (200, {}, b"{}") if len(seen) < 4 else answer

    assert smoke_a_fake(toys[0], late, timeout=patience(10)).passed
    assert seen[:4] == ["/version"] * 4


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_an_unhealthy_server_fails(toys: list[ModelPackage], path: str) -> None:
    report = smoke_a_fake(
        toys[0], lambda asked, _, answer: (503, answer[1], b"") if asked == path else answer
    )
    assert f"{path} 503" in only(report, "health")


@pytest.mark.parametrize(
    "content",
    [
        b'{"predicted_y": 1.00001}',
        b'{"predicted_y": -1.0}',
        b'{"predicted_y": NaN}',
        b'{"predicted_y": Infinity}',
        b'{"predicted_y": null}',
        b'{"predicted_y": "1.0"}',
        b'{"predicted_y": [1.0, 1.0]}',
        b'{"predicted_y": {}}',
        b'{"prediction": 1.0}',
        b"{}",
        b"[]",
        b"null",
        b'"fine"',
        b"<html>",
        b"",
    ],
)
def test_a_server_that_predicts_something_else_fails(
    toys: list[ModelPackage], content: bytes
) -> None:
    only(smoke_a_fake(toys[0], predicting(content)), "golden predictions")


@pytest.mark.parametrize(("factor", "passes"), [(1 + 1e-12, True), (1 + 1e-8, False)])
def test_only_a_difference_in_the_last_bits_is_no_other_prediction(
    toys: list[ModelPackage],
    factor: float,
    passes: bool,  # noqa: FBT001
) -> None:
    def nearly(path: str, _: bytes, answer: Answer) -> Answer:
        if path != "/predict" or answer[0] != 200:
            return answer
        value = json.loads(answer[2])["predicted_y"] * factor
        return 200, answer[1], json.dumps({"predicted_y": value}).encode()

    assert outcome(smoke_a_fake(toys[0], nearly))["golden predictions"] is passes


@pytest.mark.parametrize("shares", [[0.5, 0.5], {"a": 1.0}, {"a": 0.4, "b": 0.3, "c": 0.3}, None])
def test_a_classifier_that_answers_other_shares_fails(flowers: GateCase, shares: Any) -> None:  # noqa: ANN401
    package = flowers.good
    content = json.dumps({"predicted_kind": "a", "probabilities": shares}).encode()

    def answer(path: str, body: bytes) -> Answer:
        missing = path == "/predict" and package.manifest.columns[0].name not in json.loads(body)
        return (422 if missing else 200), {"X-Model-Version": package.digest}, content

    with fake(answer) as url:
        only(smoke_test(url, package, timeout=patience(0.3)), "golden predictions")


def test_a_server_that_swaps_in_the_middle_fails(toys: list[ModelPackage]) -> None:
    other = {"X-Model-Version": toys[1].digest}
    report = smoke_a_fake(
        toys[0],
        lambda path, _, answer: (answer[0], other, answer[2]) if path == "/predict" else answer,
    )
    assert toys[1].digest in only(report, "golden predictions")


@pytest.mark.parametrize("status", [200, 500, 400])
def test_a_server_that_does_not_refuse_bad_input_fails(
    toys: list[ModelPackage], status: int
) -> None:
    report = smoke_a_fake(
        toys[0], lambda _path, _body, answer: (status, *answer[1:]) if answer[0] == 422 else answer
    )
    assert f"without x is answered {status}" in only(report, "bad input")


def test_a_server_that_fails_on_good_rows_fails(toys: list[ModelPackage]) -> None:
    report = smoke_a_fake(
        toys[0],
        lambda path, _, answer: (
            (500, *answer[1:]) if path == "/predict" and answer[0] == 200 else answer
        ),
    )
    assert outcome(report) == {
        name: name not in {"golden predictions", "latency"} for name in CHECKS
    }
    assert "500" in report.failures


def test_a_slow_server_fails(toys: list[ModelPackage]) -> None:
    never = threading.Event()

    def slow(path: str, _: bytes, answer: Answer) -> Answer:
        if path == "/predict":
            never.wait(0.01)
        return answer

    report = smoke_a_fake(toys[0], slow, max_latency=0.005)
    assert only(report, "latency").endswith("ms, at most 5 ms")


def resolving(name: str, *hosts: str) -> Callable[..., list[Any]]:
    """Resolve a name to several addresses, as a headless Service's leads to each replica."""
    truly = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: Any, **options: Any) -> list[Any]:  # noqa: ANN401 - as the original
        return [
            entry
            for each in (hosts if host == name else [host])
            for entry in truly(each, port, *rest, **options)
        ]

    return resolve


@pytest.mark.parametrize("behind", [False, True])
def test_each_replica_behind_a_name_is_tested(
    homes: GateCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, behind: bool
) -> None:
    """One that has not swapped fails the test, whichever of them the name leads to first."""
    versions = {"127.0.0.1": homes.good, "127.0.0.2": homes.poor if behind else homes.good}
    with ExitStack() as stack:
        port = free_port()
        for host, package in versions.items():
            stack.enter_context(listening(ModelStore(tmp_path / host), package, host, port))
        monkeypatch.setattr(socket, "getaddrinfo", resolving("replicas.test", *versions))
        report = smoke_test(
            f"http://replicas.test:{port}", homes.good, timeout=patience(1), max_latency=patience(5)
        )
    tested = [f"{name} of http://{host}:{port}" for host in versions for name in CHECKS]
    if behind:
        assert [check.name for check in report.checks if not check.passed] == [
            f"version of http://127.0.0.2:{port}"
        ]
    else:
        assert [check.name for check in report.checks] == [*CHECKS, *tested]
        assert report.passed, report.failures


def test_a_name_of_one_address_is_tested_once(homes: GateCase, tmp_path: Path) -> None:
    with serving(ModelStore(tmp_path / "store"), homes.good) as client:
        url = str(client.base_url).replace("127.0.0.1", "localhost")
        assert (
            list(outcome(smoke_test(url, homes.good, timeout=patience(5), max_latency=patience(5))))
            == CHECKS
        )
