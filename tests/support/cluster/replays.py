"""A cluster that plays a recording, or what a test says: time moves on while somebody watches."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from katib.cluster.experiments import KatibCluster
from katib.errors import AlreadyExists
from support.clocks import Seconds
from support.cluster.recordings import RECORDINGS

KINDS = {"Experiment": "experiments", "Trial": "trials"}
Object = dict[str, Any]


@dataclass
class Replay:
    """Plays events at their seconds; the next calls raise `faults`, where None lets one pass."""

    events: list[Object]
    clock: Seconds = field(default_factory=Seconds)
    faults: list[Exception | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    known: dict[tuple[str, str], Object] = field(default_factory=dict)
    created: list[Object] = field(default_factory=list)

    def get(self, kind: str, namespace: str, name: str) -> Object:
        raise NotImplementedError

    def list(
        self, kind: str, namespace: str, *, name: str = "", labels: str = ""
    ) -> tuple[list[Object], str]:
        self._call(f"list {kind}")
        self._until(self.clock.now)
        found = [
            o
            for (k, n), o in self.known.items()
            if k == kind and (not name or n.startswith(f"{name}/"))
        ]
        return copy.deepcopy(found), "7"

    def create(self, kind: str, namespace: str, body: Object) -> Object:
        self._call(f"create {kind}")
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}x1"
        if any(o["metadata"]["name"] == name for o in self.known.values()):
            raise AlreadyExists("create")
        made = {
            **body,
            "metadata": {**body["metadata"], "name": name, "uid": f"uid-{len(self.created)}"},
        }
        self.created.append(made)
        self.known["experiments", f"{name}/{made['metadata']['uid']}"] = made
        return made

    def watch(
        self,
        kind: str,
        namespace: str,
        *,
        version: str,
        seconds: float,
        name: str = "",
        labels: str = "",
    ) -> Iterator[Object]:
        self._call(f"watch {kind}")
        end = self.clock.now + seconds
        while self.events and self.events[0]["seconds"] <= end:
            event = self.events.pop(0)
            self.clock.now = max(self.clock.now, event["seconds"])
            self._apply(event)
            if KINDS[event["object"]["kind"]] == kind:
                yield copy.deepcopy(event)
                self._call("event")
        self.clock.now = end

    def _call(self, what: str) -> None:
        self.asked.append(what)
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault

    def _until(self, now: float) -> None:
        while self.events and self.events[0]["seconds"] <= now:
            self._apply(self.events.pop(0))

    def _apply(self, event: Object) -> None:
        item = event["object"]
        key = KINDS[item["kind"]], f"{item['metadata']['name']}/{item['metadata']['uid']}"
        if event["type"] == "DELETED":
            self.known.pop(key, None)
        else:
            self.known[key] = item


def load_replay(case: str) -> Replay:
    """Return a recorded case, from its beginning."""
    lines = (RECORDINGS / "watches" / f"{case}.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return Replay(events, Seconds(events[0]["seconds"]))


def katib_on(cluster: Replay, notify: Callable[[str], None] = lambda _: None) -> KatibCluster:
    """Return Katib on a played cluster; pauses pass at once, and move the clock."""

    def pause(seconds: float) -> None:
        cluster.clock.now += seconds

    return KatibCluster(cluster, "tuning", notify, cluster.clock, pause)
