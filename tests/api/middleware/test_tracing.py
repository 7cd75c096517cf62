"""Spans go where OpenTelemetry's variable says, and belong to the caller's trace."""

import pytest
from support.serving.servers import await_true, put, running

from registry import ModelStore
from registry.package import ModelPackage

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_request_is_a_span_of_its_callers_trace(
    store: ModelStore, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    put(store, toys[0])
    with running(store, "toy") as server:
        assert server.process.stdout
        server.client.post(
            "/predict", json={"x": 0.25}, headers={"traceparent": TRACE}
        ).raise_for_status()
        stdout = server.process.stdout
        text = ""
        await_true(
            lambda: (text := stdout.readline().decode()) and TRACE[3:35] in text,
            f"the span, not {text}",
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_the_last_span_is_exported_at_the_end(
    store: ModelStore, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    put(store, toys[0])
    with running(store, "toy", workers=workers) as server:
        server.client.post(
            "/predict", json={"x": 0.25}, headers={"traceparent": TRACE}
        ).raise_for_status()
        server.client.close()
        server.process.terminate()
        assert server.process.stdout
        assert TRACE[3:35] in server.process.stdout.read().decode()


def test_an_exporter_that_is_not_there_is_said_and_the_server_serves(
    store: ModelStore, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon")
    put(store, toys[0])
    with running(store, "toy") as server:
        assert server.client.post("/predict", json={"x": 0.25}).is_success
        assert "no exporter called carrier-pigeon is installed" in server.log_text()
