"""The engine's side of the fork server: start a trial, read its output, wait for it, end it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from katib.errors import EngineError
from katib.local import fork_server
from katib.local.fork_server import MESSAGE_LIMIT, Message

CHUNK = 1 << 16
LINE_LIMIT = 1 << 20
GOODBYE = 1.0  # seconds for the fork server to end by itself
SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Exit:
    """How a trial's process ended: exit code (-9 if killed by signal 9), and CPU seconds."""

    code: int
    cpu: float


@dataclass(slots=True)
class Child:
    """A running trial; `pid` is also its process group."""

    output: asyncio.StreamReader
    pipe: asyncio.BaseTransport
    started: "asyncio.Future[int]"
    ended: "asyncio.Future[Exit]"

    async def wait_started(self) -> None:
        """Wait until it runs; if this is cancelled, it is killed as soon as it does."""
        try:
            await asyncio.shield(self.started)
        except asyncio.CancelledError:
            self.started.add_done_callback(lambda _: self.signal(signal.SIGKILL))
            raise

    async def lines(self) -> AsyncIterator[str]:
        """Yield its output line by line until its end; a line over a mebibyte is cut."""
        rest = b""
        while chunk := await self.output.read(CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace").rstrip("\r")
            rest = rest[:LINE_LIMIT]
        if rest:
            yield rest.decode(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group."""
        if self.started.done() and not self.started.exception() and not self.ended.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.started.result(), number)

    async def end(self, grace: float) -> None:
        """Ask it to end, and kill it when it has not ended after `grace` seconds."""
        await asyncio.shield(self.started)
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), grace)
            return
        self.signal(signal.SIGKILL)
        await asyncio.shield(self.ended)


@dataclass(slots=True)
class Launcher:
    """Owns the fork server's process; use it as an async context manager.

    Attributes:
        preload: modules whose `python -m <module>` is run by forking; see
            `katib.local.fork_server`.
    """

    preload: Sequence[str] = ()
    _process: "asyncio.subprocess.Process | None" = None
    _control: socket.socket | None = None
    _children: dict[int, Child] = field(default_factory=dict)
    _send_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _listener: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> Self:
        kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
        self._control, theirs = socket.socketpair(socket.AF_UNIX, kind)
        with theirs:
            # By path and with -P: the trials' parent must not import this package or its
            # neighbours.
            command = (
                sys.executable,
                "-P",
                fork_server.__file__,
                str(theirs.fileno()),
                *self.preload,
            )
            env = {**SINGLE_THREAD, **os.environ}
            self._process = await asyncio.create_subprocess_exec(
                *command, pass_fds=[theirs.fileno()], env=env
            )
        self._control.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in self._children.values():
            child.pipe.close()
        if self._control:
            self._control.close()
        if self._process:
            with suppress(TimeoutError):  # it ends by itself, unless it is still importing
                await asyncio.wait_for(self._process.wait(), GOODBYE)
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()
        if self._listener:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener

    async def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None) -> Child:
        """Start a command; its stdout and stderr are one stream.

        Raises:
            EngineError: when the fork server has died.
        """
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        read, write = os.pipe()
        try:
            pipe, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read, "rb")
            )
            child = Child(stream, pipe, loop.create_future(), loop.create_future())
            request = {"argv": list(argv), "env": dict(env), "cwd": str(cwd) if cwd else None}
            # One at a time: the socket holds few requests, and the fork server may still import.
            async with self._send_lock:
                self._send_request(child, request, write)
                await child.wait_started()
        finally:
            os.close(write)
        return child

    def _send_request(self, child: Child, request: Message, output: int) -> None:
        assert self._control is not None  # noqa: S101 - entered
        number = len(self._children)
        self._children[number] = child
        try:
            socket.send_fds(
                self._control, [json.dumps({"id": number, **request}).encode()], [output]
            )
        except OSError as error:
            raise EngineError(f"the trials' parent process is gone: {error}") from error

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._control is not None  # noqa: S101 - entered
        try:
            while message := await loop.sock_recv(self._control, MESSAGE_LIMIT):
                self._handle_message(json.loads(message))
        except OSError:
            pass
        lost = EngineError(
            "the trials' parent process died", hint="out of memory? continue with --resume"
        )
        for child in self._children.values():
            child.signal(signal.SIGKILL)
            for future in (child.started, child.ended):
                if not future.done():
                    future.set_exception(lost)
                    future.exception()  # marks it as seen: not every future is awaited

    def _handle_message(self, message: Message) -> None:
        child = self._children[message["id"]]
        if "pid" in message:
            child.started.set_result(message["pid"])
        else:
            child.ended.set_result(Exit(message["exit"], message["cpu"]))
