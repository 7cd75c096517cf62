"""A server of V2 over gRPC in its own event loop, and a channel to it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from api.grpc.server import GrpcServer
from api.limits import Limits
from api.serving.served import Served, Slot
from registry import Pointer
from registry.package import ModelPackage
from support.serving.servers import PATIENCE


def slot_of(package: ModelPackage) -> Slot:
    slot = Slot()
    pointer = Pointer(model=package.manifest.name, number=7, sha256=package.digest)
    slot.swap(Served.make(package, pointer))
    return slot


@dataclass
class StartedGrpc:
    """A server in its own event loop, and a channel to it."""

    server: GrpcServer
    port: int
    channel: Any
    loop: asyncio.AbstractEventLoop


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def start_grpc(
    slots: Mapping[str, Slot], address: str, limits: Limits, key_file: Path | None = None
) -> tuple[GrpcServer, int]:
    server = GrpcServer(slots, address, limits, key_file=key_file)
    return server, await server.start()


@contextmanager
def running_grpc(
    slots: Mapping[str, Slot], limits: Limits | None = None, key_file: Path | None = None
) -> Iterator[StartedGrpc]:
    with running_loop() as loop:
        starting = start_grpc(slots, "127.0.0.1:0", limits or Limits(), key_file)
        server, port = asyncio.run_coroutine_threadsafe(starting, loop).result(PATIENCE)
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield StartedGrpc(server, port, channel, loop)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(PATIENCE)
