"""The fork server, the process that owns the trials; started by the engine, never by hand.

It forks the trials, each in a process group of its own. When the engine's end of the socket closes,
for whatever reason, SIGKILL included, it kills every group and ends, so no trial outlives its run.

Modules named on its command line are imported once. A command `python -m <module> ...` of such a
module then runs in the fork, in its real `main(argv)`, and saves the second and more of CPU that
importing scikit-learn costs; every other command is executed as usual. The engine's requests and
the answers are JSON, one message a datagram.

The current folder's own modules never stand for preloaded ones, whichever interpreter runs them: a
user may have a `trainer.py`. A user's own `python train.py` or `python -m package` finds its
folder's modules, as Python does it.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Main = Callable[[list[str]], int | None]
Message = dict[str, Any]
MESSAGE_LIMIT = 1 << 20
EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126
# These reach the engine too, and the engine decides.
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class ForkServer:
    """Starts, reaps and kills; one thread, so that forking is safe."""

    def __init__(self, control: socket.socket, mains: dict[str, Main]) -> None:
        self.control = control
        self.mains = mains
        self.children: dict[int, int] = {}

    def run(self) -> None:
        """Serve until the engine is gone."""
        wake, waker = os.pipe()
        for end in (wake, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for number in FROM_TERMINAL:
            signal.signal(number, signal.SIG_IGN)
        try:
            while self._serve_once(wake):
                pass
        finally:
            self.kill_all()

    def kill_all(self) -> None:
        """Kill the process group of every child."""
        for pid in self.children:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _serve_once(self, wake: int) -> bool:
        watched: list[socket.socket | int] = [self.control, wake]
        ready, _, _ = select.select(watched, [], [])
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
        self._reap_children()
        if self.control not in ready:
            return True
        message, descriptors, _, _ = socket.recv_fds(self.control, MESSAGE_LIMIT, 1)
        if message:
            self._fork_trial(json.loads(message), descriptors[0])
        return bool(message)

    def _fork_trial(self, request: Message, output: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_trial(request, output)
        os.close(output)
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)  # here and in the child: whoever is first
        self.children[pid] = request["id"]
        self._send_message({"id": request["id"], "pid": pid})

    def _reap_children(self) -> None:
        while self.children:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # ends the processes that the trial has left behind
            code = os.waitstatus_to_exitcode(status)
            self._send_message(
                {"id": self.children.pop(pid), "exit": code, "cpu": usage.ru_utime + usage.ru_stime}
            )

    def _send_message(self, message: Message) -> None:
        with suppress(BrokenPipeError, ConnectionError):
            self.control.send(json.dumps(message).encode())

    def _become_trial(self, request: Message, output: int) -> None:
        """Turn the fork into the trial; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, *FROM_TERMINAL):
                signal.signal(number, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.close(output)  # processes that the trial leaves behind shall not hold it open
            self.control.close()
            os.environ.update(request["env"])
            if request["cwd"]:
                os.chdir(request["cwd"])
            code = self._execute_command(request["argv"])
        except BaseException:  # noqa: BLE001 - a fork must never return into the parent's loop
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _execute_command(self, argv: list[str]) -> int:
        module = argv[2] if argv[1:2] == ["-m"] and argv[2:] else ""
        if module in self.mains:
            if argv[0] == sys.executable:
                return _call_main(self.mains[module], argv[2:])
            os.environ["PYTHONSAFEPATH"] = "1"  # as -P, which Python knows since 3.11
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execvp(argv[0], argv)  # noqa: S606 - running the user's command is what this is for
        except FileNotFoundError:
            print(f"{argv[0]}: command not found", file=sys.stderr)
            return EXIT_NOT_FOUND
        except OSError as error:
            print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
            return EXIT_NOT_EXECUTABLE


def _call_main(main: Main, argv: list[str]) -> int:
    sys.argv = argv
    try:
        return int(main(argv[1:]) or 0)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0


def main(argv: list[str]) -> None:
    """Import the modules `argv[1:]`, then serve the socket whose descriptor is `argv[0]`."""
    mains = {name: importlib.import_module(f"{name}.__main__").main for name in argv[1:]}
    gc.collect()
    gc.freeze()  # the garbage collector would touch, and so copy, pages that all forks share
    ForkServer(socket.socket(fileno=int(argv[0])), mains).run()


if __name__ == "__main__":
    main(sys.argv[1:])
