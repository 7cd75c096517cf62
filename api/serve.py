"""Run the application under uvicorn, on a socket that was bound before anything was loaded."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from api.app import create_app
from registry.store import ModelStore

GRACE = 10  # seconds for requests in flight after SIGTERM


class PortInUse(Exception):
    """Somebody else listens on the port."""


def bind(host: str, port: int) -> socket.socket:
    """Bind the listening socket.

    Raises:
        PortInUse: when another process has the port, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio switches Nagle off: with 0 every answer on a kept connection takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # until then another process could bind the same port
    except OSError as error:
        listener.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def serve(store: Path, model: str, listener: socket.socket, *, until_eof: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished.

    Args:
        store: the model store's root.
        model: whose pointer to follow.
        listener: from `bind`.
        until_eof: also end when stdin closes, so that a server never outlives the run that started it.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app(ModelStore(store), model)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE)
    config.load()
    server = uvicorn.Server(config)
    if until_eof:
        _on_eof(lambda: setattr(server, "should_exit", True))
    server.run(sockets=[listener])


def _on_eof(act: Callable[[], None]) -> None:
    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1 << 10):
            pass
        act()

    threading.Thread(target=watch, name="until-eof", daemon=True).start()
