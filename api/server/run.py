"""Run the application under uvicorn, on a socket that was bound before anything was loaded."""

import asyncio
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from api.app import Companion, create_app, no_companion
from api.limits import Limits
from api.middleware.access_log import AccessLog
from api.middleware.behind_proxy import BelowPrefix
from api.middleware.draining import Leaving
from api.middleware.fast_path import FastPath
from api.middleware.tracing import traced
from api.server.http_protocol import HttpProtocol
from api.server.memory import bound_heaps
from api.server.signals import call_at_eof, ending_signals_handled_by
from api.serving.follower import INTERVAL
from registry.package.signing import Signing
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
# Seconds that a thread which loads a model may keep Python's lock from requests; 5 ms by default.
SWITCH = 0.0005
GRACE = 10  # seconds for requests in flight after SIGTERM
# Seconds that an idle connection stays: more than a proxy's 60, which might use it as we close it.
KEEP_ALIVE = 75


class PortInUse(Exception):
    """Somebody else listens on the port."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve.

    Attributes:
        store: the model store's root.
        bucket: URL of the object store that the root is a copy of; empty where it is no copy.
        model: whose rows `/predict` takes.
        also: other models, served under their names.
        workers: processes on the same socket.
        drain: seconds after SIGTERM in which requests are accepted and clients reconnect
            elsewhere.
        api_key: file with the key that requests for predictions must carry; None asks for none.
        grpc_port: where to listen for gRPC too, on the same address; needs the extra `grpc`;
            0 for nowhere.
        access_log: whether each request is written to stdout.
        limits: what each process accepts.
        poll: seconds between two looks at a pointer.
        fast_path: whether the accelerator answers what it can.
        root_path: the prefix below which a proxy publishes the server; empty for none.
        origins: of pages that a browser may let read the answers (CORS).
        proxies: addresses of proxies whose `X-Forwarded-For` and `-Proto` are believed.
        signers: whose signature packages must have, see `registry.package.signing`; empty to ask
            for none.
    """

    store: Path
    model: str
    also: tuple[str, ...] = ()
    workers: int = 1
    drain: float = 0.0
    api_key: Path | None = None
    grpc_port: int = 0
    access_log: bool = False
    limits: Limits = field(default_factory=Limits)
    poll: float = INTERVAL
    fast_path: bool = True
    bucket: str = ""
    root_path: str = ""
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


def bind(host: str, port: int) -> socket.socket:
    """Bind the listening socket.

    Raises:
        PortInUse: when another process has the port, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio switches Nagle off: with 0 every answer on a kept connection
    # takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # until then another process could bind the same port
    except OSError as error:
        listener.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def serve_app(options: Options, listener: socket.socket, *, until_eof: bool = False) -> None:
    """Serve until SIGTERM, SIGHUP or SIGINT; requests in flight are finished.

    Args:
        options: how.
        listener: from `bind`.
        until_eof: also end when stdin closes: a server never outlives the run that started it.
    """
    if options.workers > 1:
        from api.server.workers import supervise  # noqa: PLC0415 - one worker needs no multiprocessing

        supervise(options.workers, work, options, listener, until_eof=until_eof)
    else:
        work(options, listener, until_eof=until_eof)


def work(options: Options, listener: socket.socket, *, until_eof: bool = False) -> None:
    """Serve in this process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.setswitchinterval(SWITCH)
    bound_heaps()
    log = AccessLog() if options.access_log else None
    leaving = Leaving(GRACE)
    app = create_app(
        _open_store(options),
        options.model,
        options.also,
        limits=options.limits,
        poll=options.poll,
        api_key=options.api_key,
        access_log=log,
        leaving=leaving,
        companion=_grpc_companion(options, listener.getsockname()[0], leaving),
        origins=options.origins,
    )
    whole: ASGIApp = FastPath(app) if options.fast_path else app
    if options.root_path:
        whole = BelowPrefix(whole, options.root_path)
    with traced(whole) as outermost:
        server = _Server(_uvicorn_config(outermost, options), leaving, options.drain)
        if until_eof:
            call_at_eof(lambda: setattr(server, "should_exit", True))
        # Until the last line is written: another signal must not cut that off.
        with ending_signals_handled_by(server.handle_exit):
            try:
                server.run(sockets=[listener])
            finally:
                app.state.request_log.flush()
                if log:
                    log.close()


def _open_store(options: Options) -> ModelStore:
    signing = Signing(signers=options.signers)
    if not options.bucket:
        return ModelStore(options.store, signing)
    from registry.bucket import BucketReplica, BucketStore, open_bucket  # noqa: PLC0415 - rarely needed

    return BucketReplica(BucketStore(open_bucket(options.bucket), options.store, signing))


def _uvicorn_config(app: ASGIApp, options: Options) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        interface="asgi3",
        http=partial(HttpProtocol, limits=options.limits),  # type: ignore[arg-type] # it only calls it
        ws="none",
        server_header=False,
        proxy_headers=bool(options.proxies),
        forwarded_allow_ips=list(options.proxies),
        headers=[("X-Content-Type-Options", "nosniff")],  # of all answers, JSON too
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    config.load()
    return config


def _grpc_companion(options: Options, host: str, leaving: Leaving) -> Companion:
    if not options.grpc_port:
        return no_companion
    from api.grpc.server import GrpcServer  # noqa: PLC0415 - an extra

    where = f"[{host}]" if ":" in host else host
    return partial(
        GrpcServer,
        address=f"{where}:{options.grpc_port}",
        limits=options.limits,
        key_file=options.api_key,
        reuse_port=options.workers > 1,
        leaving=leaving,
    )


class _Server(uvicorn.Server):
    """Serves for a while after SIGTERM, until the cluster and clients have stopped sending."""

    def __init__(self, config: uvicorn.Config, leaving: Leaving, drain: float) -> None:
        super().__init__(config)
        self.leaving = leaving
        self.drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `work`: uvicorn would raise them again, and kill what comes after."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first SIGTERM or SIGHUP; end at any other signal.

        A second SIGINT ends it at once.
        """
        if sig != signal.SIGINT and self.drain and not self.leaving.begun:
            logger.info("draining for %g s", self.drain)
            self.leaving.begun = True
            timer = threading.Timer(self.drain, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()
        else:
            super().handle_exit(sig, frame)
            self.leaving.forced = self.force_exit

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the companion together with HTTP; if forced, end the application all the same."""
        self.leaving.ended.set()
        await super().shutdown(sockets)
        if self.force_exit:
            await self._let_go()
            await self.lifespan.shutdown()

    async def _let_go(self) -> None:
        for connection in self.server_state.connections:
            connection.transport.abort()
        if tasks := self.server_state.tasks.copy():
            await asyncio.wait(
                tasks, timeout=1
            )  # they see that the client has gone; cancelled, each logs a traceback
