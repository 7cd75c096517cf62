"""Run the real command line on a terminal of a certain size, and see what it draws there."""

import errno
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.cli import TIMEOUT, environment

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
REDRAWN = re.compile(r"(?:\r?\x1b\[2K)?((?:\x1b\[1A\x1b\[2K)+)")
SHOW_CURSOR = "\x1b[?25h"


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, words: tuple[object, ...], columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {
            name: value
            for name, value in environment({"TERM": "xterm"}).items()
            if name not in {"COLUMNS", "LINES"}
        }
        command = [sys.executable, "-m", "tunegate", *map(str, words)]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env
        )
        os.close(theirs)
        self.drawn = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._ours, 1 << 16)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                chunk = b""  # nobody has it open any more
            with self._changed:
                self.drawn += chunk.decode(errors="replace")
                self._changed.notify_all()
            if not chunk:
                return

    def wait_for(self, pattern: str) -> None:
        """Wait until something is drawn."""
        with self._changed:
            ended = self._changed.wait_for(
                lambda: re.search(pattern, self.drawn) or not self._reader.is_alive(), TIMEOUT
            )
        assert ended, f"not drawn: {pattern}\n{self.drawn}"
        assert re.search(pattern, self.drawn), f"ended without {pattern}:\n{self.drawn}"

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        code = self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return code

    @property
    def frames(self) -> list[list[str]]:
        """What was drawn in the same place, one after the other, as lines without colours."""
        parts = [part for part in REDRAWN.split(self.drawn) if not REDRAWN.fullmatch(part)]
        texts = [CONTROL.sub("", part).replace("\r", "") for part in parts]
        return [text.strip("\n").split("\n") for text in texts]

    def close(self) -> None:
        """Kill it if it still runs, and let go of the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(TIMEOUT)
        os.close(self._ours)


@contextmanager
def terminal(*words: object, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    """Start a command on a terminal, and kill it when the block ends, if it still runs."""
    started = Terminal(words, columns, rows)
    try:
        yield started
    finally:
        started.close()
