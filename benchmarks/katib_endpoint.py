"""What `tunegate katib` costs: the time until its first answer, that of the CPU, and its memory.

The command is started as a user starts it, in a folder of its own: with no run yet, and with runs
that have ended. Its memory is read when it has answered, after a client has created an Experiment
that has then run to its end, and after a watch and a hundred lists. The engine of an Experiment is
a process of its own, and is not counted. Linux only: memory is read from /proc.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError

PATH = "/apis/kubeflow.org/v1beta1/namespaces/default/experiments"
ENDED = {"Succeeded", "Failed"}
PAUSE = 0.005  # seconds between two attempts to connect
DATABASE = "--db-manager-port"


def experiment(name: str, trials: int) -> dict[str, Any]:
    """Return an Experiment whose trials print a number and end."""
    command = ["sh", "-c", "echo loss=${trialParameters.x}"]
    container = {"name": "main", "image": "any:1", "command": command}
    pod = {"restartPolicy": "Never", "containers": [container]}
    space = {"min": "0", "max": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 2,
            "maxTrialCount": trials,
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"backoffLimit": 0, "template": {"spec": pod}},
                },
            },
        },
    }


class Endpoint:
    """A running endpoint.

    Attributes:
        start: seconds from the command to its first answer.
    """

    def __init__(self, state: Path, *options: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        command = ["-m", "tunegate", "katib", "--port", str(port), "--state", str(state), *options]
        began = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
        while not self._answers():
            if self.process.poll() is not None:
                raise SystemExit(f"tunegate katib ended with {self.process.returncode}")
            time.sleep(PAUSE)
        self.start = time.perf_counter() - began

    def request(self, path: str, body: object = None) -> dict[str, Any]:
        """Return the answer to a GET, or to a POST of an object."""
        content = json.dumps(body).encode() if body else None
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(self._url + path, content, headers)  # noqa: S310 - http
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - http
            found: dict[str, Any] = json.load(answer)
        return found

    def run(self, name: str, trials: int) -> None:
        """Create an Experiment and wait for its end."""
        self.request(PATH, experiment(name, trials))
        while True:
            status = self.request(f"{PATH}/{name}")["status"]
            if ENDED & {each["type"] for each in status["conditions"]}:
                return
            time.sleep(0.1)

    def memory(self) -> float:
        """Return its resident memory in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise SystemExit("no VmRSS: memory is read on Linux only")

    def cpu(self) -> float:
        """Return the CPU seconds that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _answers(self) -> bool:
        try:
            return bool(self.request(PATH)["kind"])
        except (URLError, OSError):
            return False


@contextmanager
def endpoint(state: Path, *options: str) -> Iterator[Endpoint]:
    """Yield an endpoint over a state folder, and end it."""
    started = Endpoint(state, *options)
    try:
        yield started
    finally:
        started.process.terminate()
        started.process.wait()


def starts(state: Path, count: int, *options: str) -> str:
    """Return the medians of start, its CPU time, and memory, in words."""
    times = []
    used = []
    memories = []
    for _ in range(count):
        with endpoint(state, *options) as started:
            times.append(started.start)
            used.append(started.cpu())
            memories.append(started.memory())
    return f"{median(times):.2f} s, {median(used):.2f} s of CPU, {median(memories):.0f} MB"


def main() -> None:
    """Measure, and print a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=9)
    parser.add_argument("--runs", type=int, default=20, help="Experiments that have ended before")
    parser.add_argument("--trials", type=int, default=20, help="trials of each")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, load {load:.1f} at the beginning")
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        print("start, no run yet:", starts(state, given.starts))
        with endpoint(state) as working:
            working.run("first", given.trials)
            print(f"an Experiment of {given.trials} trials has run: {working.memory():.0f} MB")
            for number in range(1, given.runs):
                working.run(f"more-{number}", given.trials)
            print(f"{given.runs} Experiments have run: {working.memory():.0f} MB")
            for _ in range(100):
                working.request(PATH.replace("experiments", "trials"))
            print(f"100 lists of all trials later: {working.memory():.0f} MB")
        print(f"start over {given.runs} runs:", starts(state, given.starts))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        print(f"the same with {DATABASE}:", starts(state, given.starts, DATABASE, str(port)))


if __name__ == "__main__":
    main()
