"""What Katib's EarlyStopping service talks to: the database of reports, and an API server."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from support.katib.suggestion_clients import Client, Trial, pack_experiment, pack_objective
from support.serving.proxy import Proxy
from support.serving.wire import pack_field, read_fields

SERVICE = "api.v1.beta1.EarlyStopping"
Series = Sequence[str]
Rule = tuple[str, float, int, int]


def pack_early(name: str = "tunegate", settings: Mapping[str, str] | None = None) -> bytes:
    pairs = (settings or {}).items()
    return pack_field(1, name) + b"".join(
        pack_field(2, pack_field(1, n) + pack_field(2, v)) for n, v in pairs
    )


@dataclass
class Database:
    """Katib's DB manager, as far as reports are read; they come in order of time.

    Attributes:
        series: the reports of the metric that is asked for, by trial.
        logs: (time, metric, value) of each report, by trial.
    """

    port: int = 0
    series: dict[str, Series] = field(default_factory=dict)
    logs: dict[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: Callable[[str, Any], None] = lambda _trial, _context: None

    def answer(self, request: bytes, context: Any) -> bytes:  # noqa: ANN401 - grpc has no types
        found = read_fields(request)
        trial = found[1][0].decode()
        metric = found.get(2, [b""])[0].decode()
        self.asked.append(trial)
        self.before(trial, context)
        rows = [("2026-01-01T00:00:00Z", metric, value) for value in self.series.get(trial, ())]
        rows += [row for row in self.logs.get(trial, ()) if metric in {"", row[1]}]
        logs = [
            pack_field(1, time) + pack_field(2, pack_field(1, name) + pack_field(2, value))
            for time, name, value in rows
        ]
        return pack_field(1, b"".join(pack_field(1, log) for log in logs))


@contextmanager
def database() -> Iterator[Database]:
    """Run one on a free port of the loopback."""
    made = Database()
    handler = grpc.unary_unary_rpc_method_handler(made.answer)
    serving = grpc.method_handlers_generic_handler(
        "api.v1.beta1.DBManager", {"GetObservationLog": handler}
    )
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([serving])
    made.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield made
    finally:
        server.stop(0).wait()


@dataclass
class Asking:
    """An Experiment whose controller asks for rules; `trials` are sent in their order."""

    client: Client
    address: str
    early: bytes = field(default_factory=pack_early)
    minimize: bool = True
    trials: list[Trial] = field(default_factory=list)

    def request(self, more: bytes = b"") -> bytes:
        objective = pack_objective(minimize=self.minimize)
        # A message that comes in two parts is one.
        experiment = pack_experiment([pack_field(1, "x")], objective=objective) + pack_field(
            2, pack_field(4, self.early)
        )
        return (
            pack_field(1, experiment)
            + b"".join(pack_field(2, t.pack(objective)) for t in self.trials)
            + more
            + pack_field(3, self.address)
        )

    def rules(self, more: bytes = b"") -> list[Rule]:
        """Return (metric, limit, comparison, start_step) of each rule."""
        reply = read_fields(self.client.call("GetEarlyStoppingRules", self.request(more), SERVICE))
        found = [read_fields(rule) for rule in reply.get(1, ())]
        return [(r[1][0].decode(), float(r[2][0]), r[3][0], r[4][0]) for r in found]


class Cluster(Proxy):
    """An API server for the Trials of one namespace: versions, merge patches of status, refusals.

    Attributes:
        trials: by name.
        token: the one that is known.
        meanwhile: what others do between a read and the write after it, one at a time.
        faults: answers of the next requests, instead of its own.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__("http://nowhere.invalid")
        self.prefix = f"/apis/kubeflow.org/v1beta1/namespaces/{namespace}/trials/"
        self.trials: dict[str, dict[str, Any]] = {}
        self.token = "secret"  # noqa: S105 - of a test
        self.meanwhile: list[Callable[[], None]] = []
        self.faults: list[int] = []
        self.lock = threading.Lock()

    def add(self, name: str, *conditions: str) -> None:
        status = {
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [condition(each) for each in conditions],
        }
        self.trials[name] = {
            "metadata": {"name": name, "resourceVersion": "1"},
            "spec": {"objective": {"type": "minimize", "objectiveMetricName": "mse"}},
            "status": status,
        }

    def write(self, name: str, conditions: list[dict[str, str]], **more: object) -> None:
        trial = self.trials[name]
        trial["status"] |= {"conditions": conditions, **more}
        trial["metadata"]["resourceVersion"] = str(int(trial["metadata"]["resourceVersion"]) + 1)

    def conditions(self, name: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.trials[name]["status"]["conditions"]
        return found

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        with self.lock:
            self.seen.append((method, path))
            if headers.get("Authorization") != f"Bearer {self.token}":
                return _status(401, "Unauthorized")
            if self.faults:
                return _status(self.faults.pop(0), "out of order")
            name, _, part = path.removeprefix(self.prefix).partition("/")
            if not path.startswith(self.prefix) or name not in self.trials:
                details = {"name": name, "group": "kubeflow.org", "kind": "trials"}
                return _status(404, f'trials.kubeflow.org "{name}" not found', details=details)
            if method == "PATCH":
                assert (part, headers["Content-Type"]) == ("status", "application/merge-patch+json")
                return self._patch(name, json.loads(body))
            return 200, json.dumps(self.trials[name]).encode()

    def _patch(self, name: str, patch: dict[str, Any]) -> tuple[int, bytes]:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if patch["metadata"]["resourceVersion"] != self.trials[name]["metadata"]["resourceVersion"]:
            return _status(409, "the object has been modified", reason="Conflict")
        status = self.trials[name]["status"] | patch["status"]
        self.write(name, **status)
        return 200, json.dumps(self.trials[name]).encode()


def condition(kind: str) -> dict[str, str]:
    time = "2026-01-01T00:00:00Z"
    texts = {"reason": f"Trial{kind}", "message": f"Trial is {kind}"}
    return {
        "type": kind,
        "status": "True",
        **texts,
        "lastUpdateTime": time,
        "lastTransitionTime": time,
    }


def tls(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _status(code: int, message: str, **more: object) -> tuple[int, bytes]:
    return code, json.dumps(
        {"kind": "Status", "status": "Failure", "code": code, "message": message, **more}
    ).encode()
