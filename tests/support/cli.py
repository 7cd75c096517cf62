"""Run the real command line in a process of its own, and wait for what it says."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from support.patience import patience

ROOT = Path(__file__).parent.parent.parent
TIMEOUT = patience(240)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment without settings of the person who runs the tests, 100 columns wide."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TUNEGATE_")}
    return {**clean, "COLUMNS": "100", "PYTHONWARNINGS": "", **(extra or {})}


def tunegate(
    *words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tunegate", *map(str, words)],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


class Running:
    """A command under way; what it says on stderr is kept and can be waited for."""

    def __init__(
        self,
        words: tuple[object, ...],
        env: Mapping[str, str] | None,
        *,
        command: list[str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [*(command or [sys.executable, "-m", "tunegate"]), *map(str, words)],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(env),
            cwd=cwd,
            start_new_session=True,
        )
        self.said: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._changed:
                self.said.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        """Wait until a line holds this text."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: any(text in line for line in self.said) or not self._reader.is_alive(),
                TIMEOUT,
            )
        assert found, f"not said: {text}\n" + "\n".join(self.said)
        assert any(text in line for line in self.said), f"ended without {text}:\n" + "\n".join(
            self.said
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command alone, as `kill` does."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        code = self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return code

    def close(self) -> None:
        """Kill it if it still runs, and let go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(TIMEOUT)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    @property
    def output(self) -> str:
        """Everything it has said on stderr."""
        return "\n".join(self.said)


@contextmanager
def running(*words: object, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a command and kill it when the block ends, if it still runs."""
    command = Running(words, env)
    try:
        yield command
    finally:
        command.close()


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def small_experiment(
    folder: Path, *, trials: int = 4, trees: int = 10, parallel: int = 2, data: str = "boston"
) -> Path:
    """Write the shipped Experiment, made small and for other data, into a folder."""
    text = (ROOT / "manifests" / "experiment.yaml").read_text(encoding="utf-8")
    text = text.replace("--data=boston", f"--data={data}")
    document = yaml.safe_load(text.replace("--n-estimators=200", f"--n-estimators={trees}"))
    counts = {"maxTrialCount": trials, "parallelTrialCount": parallel, "maxFailedTrialCount": 2}
    document["spec"] |= counts
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def descendants_of_session(pid: int) -> list[int]:
    """Return the other living processes of this command's session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == pid and fields[0] != "Z" and int(entry.name) != pid:
                found.append(int(entry.name))
    return found
