"""The gRPC server next to the HTTP application: it listens, and ends together with HTTP."""

import asyncio
import errno
from pathlib import Path

import grpc.aio

from api.grpc.service import InferenceService
from api.limits import Limits
from api.middleware.api_key import Key
from api.middleware.draining import Leaving
from api.serving.served import Slots

FORCED_POLL = 0.1  # seconds between two checks whether the end is forced


class GrpcServer:
    """A server in the event loop in which it is made.

    As an asynchronous context manager it listens until `leaving` or the block has ended; calls in
    flight then have `leaving.grace` seconds to finish.

    Args:
        slots: the models that answer.
        address: `host:port`; port 0 for any that is free.
        limits: for a message's bytes, for its rows, and for calls at once.
        key_file: holds the key that all calls except health checks must carry, as `x-api-key` or
            as a bearer token; None asks for no key.
        reuse_port: let other processes listen on the same port.
        leaving: once it has begun, the server reports that it is not ready.
    """

    _stopped: asyncio.Task[None]

    def __init__(
        self,
        slots: Slots,
        address: str,
        limits: Limits,
        *,
        key_file: Path | None = None,
        reuse_port: bool = False,
        leaving: Leaving | None = None,
    ) -> None:
        self.address = address
        self.leaving = leaving or Leaving()
        options = [
            ("grpc.max_receive_message_length", limits.body),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(reuse_port)),
        ]
        self._server = grpc.aio.server(options=options)
        key = Key(key_file) if key_file else None
        service = InferenceService(slots, limits, key, self.leaving)
        self._server.add_generic_rpc_handlers(service.handlers())

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            OSError: the server cannot listen at its address.
        """
        try:
            port: int = self._server.add_insecure_port(self.address)
        except RuntimeError as error:
            reason = f"cannot listen for gRPC on {self.address}"
            raise OSError(errno.EADDRINUSE, reason) from error
        await self._server.start()
        return port

    async def stop(self, grace: float) -> None:
        """Refuse new calls, and end after those in flight, or after `grace` seconds."""
        await self._server.stop(grace)

    async def __aenter__(self) -> None:
        await self.start()
        self._stopped = asyncio.create_task(self._stop_when_leaving())

    async def __aexit__(self, *_: object) -> None:
        self.leaving.ended.set()
        await self._stopped

    async def _stop_when_leaving(self) -> None:
        await self.leaving.ended.wait()
        stopped = asyncio.create_task(self.stop(self.leaving.grace))
        while not stopped.done():
            await asyncio.wait({stopped}, timeout=FORCED_POLL)
            if self.leaving.forced:
                await self.stop(0)
