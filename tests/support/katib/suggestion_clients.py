"""Katib as its services see it: requests packed by hand, and a controller that keeps the trials."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from katib.space import Parameter
from support.cli import environment
from support.serving.servers import PATIENCE
from support.serving.wire import VARINT, pack_field, pack_varint, read_fields

KINDS = {"double": 1, "int": 2, "discrete": 3, "categorical": 4}
DISTRIBUTIONS = {"uniform": 1, "logUniform": 2, "normal": 3, "logNormal": 4}
STATES = (
    "CREATED",
    "RUNNING",
    "SUCCEEDED",
    "KILLED",
    "FAILED",
    "METRICSUNAVAILABLE",
    "EARLYSTOPPED",
    "UNKNOWN",
)
Point = dict[str, str]


def put_number(number: int, value: int) -> bytes:
    return pack_varint(number << 3 | VARINT) + pack_varint(value) if value else b""


def pack_parameter(p: Parameter) -> bytes:
    """Pack a ParameterSpec as Katib's controller does, with numbers as text."""
    text = {"int": lambda number: str(int(number))}.get(p.kind, repr)
    if p.choices:
        space = b"".join(pack_field(3, choice) for choice in p.choices)
    else:
        space = (
            pack_field(1, text(p.high))
            + pack_field(2, text(p.low))
            + (pack_field(4, text(p.step)) if p.step else b"")
        )
    space += put_number(5, DISTRIBUTIONS[p.distribution])
    return pack_field(1, p.name) + put_number(2, KINDS[p.kind]) + pack_field(3, space)


def pack_objective(metric: str = "mse", *, minimize: bool = True) -> bytes:
    return put_number(1, 1 if minimize else 2) + pack_field(3, metric)


def pack_experiment(
    parameters: Sequence[Parameter | bytes],
    *,
    algorithm: str = "tunegate",
    settings: Mapping[str, str] | None = None,
    name: str = "tiny",
    objective: bytes | None = None,
    most: int = 0,
) -> bytes:
    packed = [p if isinstance(p, bytes) else pack_parameter(p) for p in parameters]
    pairs = {"random_state": "7"} if settings is None else settings
    spec = pack_field(1, b"".join(pack_field(1, p) for p in packed))
    spec += pack_field(2, pack_objective() if objective is None else objective)
    spec += pack_field(
        3,
        pack_field(1, algorithm)
        + b"".join(pack_field(2, pack_field(1, n) + pack_field(2, v)) for n, v in pairs.items()),
    )
    return pack_field(1, name) + pack_field(2, spec + put_number(5, 3) + put_number(6, most))


@dataclass
class Trial:
    """One trial as the controller knows it; `value` is the objective as text, or None."""

    name: str
    point: Point
    state: str = "SUCCEEDED"
    value: str | None = None
    started: str = "2026-01-01T00:00:00Z"
    metric: str = "mse"

    def pack(self, objective: bytes) -> bytes:
        assignments = b"".join(
            pack_field(1, pack_field(1, n) + pack_field(2, v)) for n, v in self.point.items()
        )
        spec = (
            pack_field(2, objective)
            + pack_field(3, assignments)
            + pack_field(4, pack_field(1, "label") + pack_field(2, "of others"))
        )
        values = {"mae": "0.5"} | ({} if self.value is None else {self.metric: self.value})
        seen = b"".join(
            pack_field(1, pack_field(1, n) + pack_field(2, v)) for n, v in values.items()
        )
        status = (
            pack_field(1, self.started)
            + put_number(3, STATES.index(self.state))
            + pack_field(4, seen)
        )
        return pack_field(1, self.name) + pack_field(2, spec) + pack_field(3, status)


class Client:
    """A channel to a service, without any description of its messages."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def call(self, method: str, request: bytes, service: str = "api.v1.beta1.Suggestion") -> bytes:
        answer: bytes = self.channel.unary_unary(f"/{service}/{method}")(
            request, timeout=PATIENCE, wait_for_ready=True
        )
        return answer

    def suggest(self, request: bytes) -> list[tuple[str, Point]]:
        """Return (trial name, parameters) of each point."""
        return self.suggest_and_keep(request)[0]

    def suggest_and_keep(self, request: bytes) -> tuple[list[tuple[str, Point]], bytes]:
        """Return the points, and the algorithm with the settings that Katib shall keep."""
        found = []
        answer = read_fields(self.call("GetSuggestions", request))
        for each in answer.get(1, []):
            content = read_fields(each)
            pairs = [read_fields(pair) for pair in content[1]]
            point = {pair[1][0].decode(): pair[2][0].decode() for pair in pairs}
            found.append((content[2][0].decode(), point))
        return found, answer.get(2, [b""])[0]

    def validate(self, experiment: bytes) -> None:
        assert self.call("ValidateAlgorithmSettings", pack_field(1, experiment)) == b""

    def refusal(self, method: str, request: bytes, **options: str) -> tuple[str, str]:
        """Return code and text of the error that a call ends with."""
        try:
            self.call(method, request, **options)
        except grpc.RpcError as error:
            return error.code().name, str(error.details())
        raise AssertionError(f"{method} was not refused")


@dataclass
class Controller:
    """Katib's controller as the service sees it: it counts its points, and sends its trials.

    It keeps the settings of an answer, and sends them with the Experiment's own.
    """

    experiment: bytes
    client: Client
    objective: bytes = field(default_factory=pack_objective)
    trials: list[Trial] = field(default_factory=list)
    count: int = 0
    kept: bytes = b""

    def request(self, count: int, trials: Sequence[Trial] | None = None) -> bytes:
        listed = b"".join(
            pack_field(2, t.pack(self.objective))
            for t in (self.trials if trials is None else trials)
        )
        # A message that comes in two parts is one.
        experiment = self.experiment + pack_field(2, pack_field(3, self.kept))
        return (
            pack_field(1, experiment)
            + listed
            + put_number(4, count)
            + put_number(5, self.count + count)
        )

    def peek(self, count: int, trials: Sequence[Trial] | None = None) -> list[Point]:
        """Ask, and forget the answer."""
        return [point for _, point in self.client.suggest(self.request(count, trials))]

    def ask(self, count: int) -> list[Trial]:
        """Ask for points, and make trials of them that run."""
        answer, kept = self.client.suggest_and_keep(self.request(count))
        self.kept = kept
        assert len(answer) == count
        made = [Trial(name, point, "RUNNING") for name, point in answer]
        self.trials = self.trials + made
        self.count = self.count + count
        return made

    def points(self) -> list[Point]:
        return [trial.point for trial in self.trials]


@dataclass
class Started:
    """A service in a process of its own."""

    process: "subprocess.Popen[str]"
    port: int
    client: Client


def command(*options: str, module: str = "katib.suggestion") -> list[str]:
    return [sys.executable, "-m", module, "--host", "127.0.0.1", *options]


@contextmanager
def serving(port: int = 0, *options: str, module: str = "katib.suggestion") -> Iterator[Started]:
    """Run a service; it listens when this returns, and is killed when the block ends."""
    words = command("--port", str(port), *options, module=module)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            match = re.search(r"listening on port (\d+)", line)
            assert match, line + process.stdout.read()
            # Nobody reads what it logs from here on; a pipe that is full would stop it.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            client = Client(int(match[1]))
            yield Started(process, int(match[1]), client)
            client.channel.close()
        finally:
            process.kill()


def value_of(point: Mapping[str, Any]) -> str:
    """Return a loss that depends on the point, as text."""
    return repr(
        sum(
            len(v) + (float(v) if v.replace(".", "").isdigit() else 0.0)
            for v in map(str, point.values())
        )
        / 7
    )
