"""Run the application under uvicorn, on a socket that was bound before anything was loaded."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from api.app import create_app
from api.drain import Draining
from api.keys import ApiKey
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
GRACE = 10  # seconds for requests in flight after SIGTERM
KEEP_ALIVE = 75  # seconds that an idle connection stays: more than a proxy (60 s), which might use it as we close it


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


def serve(
    store: Path,
    model: str,
    listener: socket.socket,
    *,
    drain: float = 0.0,
    api_key: Path | None = None,
    until_eof: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished.

    Args:
        store: the model store's root.
        model: whose pointer to follow.
        listener: from `bind`.
        drain: seconds after SIGTERM in which requests are still accepted and clients are told to reconnect elsewhere.
        api_key: file with the key that requests for predictions must carry; None asks for none.
        until_eof: also end when stdin closes, so that a server never outlives the run that started it.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    draining = Draining(ApiKey(create_app(ModelStore(store), model), api_key))
    config = uvicorn.Config(
        draining,
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    config.load()
    server = _Server(config, draining, drain)
    if until_eof:
        _on_eof(lambda: setattr(server, "should_exit", True))
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Goes on for a while after SIGTERM: until the cluster has stopped sending, and clients have let go."""

    def __init__(self, config: uvicorn.Config, draining: Draining, drain: float) -> None:
        super().__init__(config)
        self.draining, self.drain = draining, drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first SIGTERM; end at any other signal."""
        if sig == signal.SIGTERM and self.drain and not self.draining.begun:
            logger.info("draining for %g s", self.drain)
            self.draining.begun = True
            timer = threading.Timer(self.drain, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()
        else:
            super().handle_exit(sig, frame)


def _on_eof(act: Callable[[], None]) -> None:
    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1 << 10):
            pass
        act()

    threading.Thread(target=watch, name="until-eof", daemon=True).start()
