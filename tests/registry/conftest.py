"""Model Registries: real ones, and servers that play one and misbehave."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from support.registry.registries import (
    MODEL,
    Answer,
    FakeRegistry,
    Raw,
    Serve,
    answer_connections,
    listing,
)
from support.serving.proxy import Start, running_proxy

if TYPE_CHECKING:  # needs an extra
    from support.registry.registry_cases import RegistryCase


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(
            *reads: Answer, writes: tuple[Answer, ...] = (MODEL,), content_type: str = ""
        ) -> FakeRegistry:
            server = FakeRegistry(list(reads) or [listing()], list(writes))
            server.content_type = content_type or server.content_type
            stack.enter_context(running_proxy(server))
            return server

        yield start


@pytest.fixture
def raw() -> Iterator[Raw]:
    """Return what starts a server that sends these answers, one a connection, the last always."""
    done = threading.Event()
    with ExitStack() as stack:

        def start(*answers: bytes, endless: bool = False) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # ends the thread's accept
            spoken = (listener, list(answers), done if endless else None)
            threading.Thread(target=answer_connections, args=spoken, daemon=True).start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start
        done.set()


@pytest.fixture
def case(server: str, quick: None, monkeypatch: pytest.MonkeyPatch) -> "RegistryCase":
    """A model of its own on the real server, whose ledger is looked at without pauses."""
    from support.registry.registry_cases import RegistryCase

    from registry.kubeflow import ledger

    monkeypatch.setattr(ledger, "POLL", 0)
    return RegistryCase(server)


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what runs a proxy until the test's end, and says where."""
    with ExitStack() as stack:
        yield lambda proxy: stack.enter_context(running_proxy(proxy)).url
