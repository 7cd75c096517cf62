"""An Experiment on a cluster: create it, follow it, collect its Trials.

What is followed are the objects, never the Experiment's counters: those freeze at its end, with a Trial that still runs
counted as pending for good (seen on Katib v0.19).
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from katib.cluster.spec_diff import difference
from katib.cluster.watch import Cluster, Object, Patience, Selection, changes
from katib.errors import AlreadyExists, Gone, Missing, TimedOut
from katib.experiment import Experiment
from katib.trial import FINISHED

EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
ENDED = frozenset({"Succeeded", "Failed"})
STRAGGLERS = 600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The Experiment and its Trials at one moment; `finished` are those that ended since the moment before."""

    experiment: Object
    trials: tuple[Object, ...]
    finished: tuple[Object, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the Experiment is over; some of its Trials may still run."""
        return state(self.experiment) in ENDED

    @property
    def unfinished(self) -> tuple[Object, ...]:
        """The Trials that still run, or wait."""
        return tuple(trial for trial in self.trials if not terminal(trial))


@dataclass(slots=True)
class KatibCluster:
    """Katib in one namespace of a cluster.

    Attributes:
        kube: a `katib.cluster.client.Kube`.
        namespace: where the Experiments are.
        notify: told what people should know while they wait.
        clock: a monotonic clock.
        pause: waits for some seconds, between two attempts to reach the API server.
    """

    kube: Cluster
    namespace: str
    notify: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def submit(self, experiment: Experiment) -> tuple[Object, bool]:
        """Create an Experiment as it is written, or find the same one there; returns it, and whether it is new.

        Raises:
            Refused: when a webhook says no; the message carries its words.
            AlreadyExists: when there is another Experiment of that name.
            Forbidden, Missing, ClusterUnreachable: see `katib.errors`.
        """
        body = _as_written(experiment, self.namespace)
        name = body["metadata"].get("name")
        for _ in range(2):  # another one may create it between our two questions
            there = self._find(name) if name else None
            if there:
                self._check_same(experiment, there)
                return there, False
            try:
                return self.kube.create("experiments", self.namespace, body), True
            except AlreadyExists:
                if not name:
                    raise
        raise AlreadyExists(
            f"experiment {self.namespace}/{name}: it comes and goes",
            hint="see who else creates and deletes it",
        )

    def follow(
        self,
        name: str,
        *,
        timeout: float | None = None,
        appear: float = 0.0,
        stragglers: float = STRAGGLERS,
        patience: float = 300.0,
    ) -> Iterator[Progress]:
        """Yield each change until the Experiment and all its Trials have ended.

        Args:
            name: the Experiment's.
            timeout: seconds after which to stop.
            appear: seconds to wait for an Experiment of that name to exist at all.
            stragglers: seconds to wait, after the Experiment's end, for Trials that still run.
            patience: seconds without an answer of the API server.

        Raises:
            Missing: when there is no such Experiment.
            Gone: when it is deleted meanwhile, be it to create another one of the same name.
            TimedOut: when `timeout` is over before the Experiment has ended.
            ClusterUnreachable: when the API server has not answered for `patience`, or when `timeout` is over.
        """
        now = self.clock()
        deadline = None if timeout is None else now + timeout
        waiting = Patience(
            patience,
            self.notify,
            self.clock,
            self.pause,
            math.inf if deadline is None else deadline,
        )
        follower = _Follower(self, name, waiting, deadline, now + appear)
        yield from follower.until_ended()
        yield from follower.until_all_ended(self.clock() + stragglers)

    def trials(self, experiment: Object) -> list[Object]:
        """Return an Experiment's Trials, oldest first."""
        found, _ = self.kube.list(
            "trials", self.namespace, labels=_label(experiment["metadata"]["name"])
        )
        return owned(found, experiment)

    def _find(self, name: str) -> Object | None:
        found, _ = self.kube.list("experiments", self.namespace, name=name)
        return found[0] if found else None

    def _check_same(self, experiment: Experiment, there: Object) -> None:
        where = f"experiment {self.namespace}/{there['metadata']['name']}"
        delete = f"kubectl delete experiment {there['metadata']['name']} -n {self.namespace}"
        if "deletionTimestamp" in there["metadata"]:
            raise AlreadyExists(f"{where} is being deleted", hint=f"wait for it: `{delete}`")
        if found := difference(experiment.document["spec"], there["spec"]):
            raise AlreadyExists(
                f"{where} exists already with another {found}",
                hint=f"give yours another metadata.name, or delete that one, its Trials with it: `{delete}`",
            )


@dataclass(slots=True)
class _Follower:
    """One following of one Experiment."""

    katib: KatibCluster
    name: str
    patience: Patience
    deadline: float | None
    appear: float
    _latest: Object | None = None
    _told: frozenset[str] = frozenset()
    _versions: tuple[str, ...] = ()

    def until_ended(self) -> Iterator[Progress]:
        what = Selection("experiments", self.katib.namespace, name=self.name)
        for found in changes(self.katib.kube, what, self.patience, self._end):
            if self._see(found):
                yield from self._progress(self._trials())
                if state(self._known()) in ENDED:
                    return
        if self._latest is None and (self.deadline is None or self.appear <= self.deadline):
            hint = f"`kubectl get experiments -n {self.katib.namespace}` shows those that are there"
            raise Missing(f"{self._where()}: there is none of that name", hint=hint)
        raise TimedOut(
            f"{self._where()}: not over in the time given, {state(self._known())}",
            hint="it goes on; the same command follows it again, "
            f"and `tunegate doctor --experiment {self.name}` says what it waits for",
        )

    def until_all_ended(self, until: float) -> Iterator[Progress]:
        if self.deadline is not None:
            until = min(until, self.deadline)
        trials = self._trials()
        what = Selection("trials", self.katib.namespace, labels=_label(self.name))
        if not all(map(terminal, trials)):
            for found in changes(self.katib.kube, what, self.patience, lambda: until):
                self._see(self._experiments())
                trials = owned(found, self._known())
                yield from self._progress(trials)
                if all(map(terminal, trials)):
                    break
        self._see(self._experiments())  # its status may have changed with the last Trial
        yield from self._progress(trials)

    def _see(self, found: list[Object]) -> bool:
        """Take note of the Experiment; returns whether it is there."""
        if self._latest is None and not found:
            return False
        now = next(
            (item for item in found if self._latest is None or _uid(item) == _uid(self._latest)),
            None,
        )
        if now is None or "deletionTimestamp" in now["metadata"]:
            raise Gone(
                f"{self._where()} was deleted while it was followed",
                hint="the same command creates it anew",
            )
        self._latest = now
        return True

    def _progress(self, trials: list[Object]) -> Iterator[Progress]:
        versions = tuple(
            item["metadata"].get("resourceVersion", "") for item in (self._known(), *trials)
        )
        if versions == self._versions:  # seen again after a new connection
            return
        ended = {_uid(trial) for trial in trials if terminal(trial)}
        finished = tuple(trial for trial in trials if _uid(trial) in ended - self._told)
        self._versions = versions
        self._told = self._told | ended
        yield Progress(self._known(), tuple(trials), finished)

    def _known(self) -> Object:
        return self._latest or {}

    def _trials(self) -> list[Object]:
        return self.patience.ask(lambda: self.katib.trials(self._known()))

    def _experiments(self) -> list[Object]:
        kube = self.katib.kube
        namespace = self.katib.namespace
        return self.patience.ask(lambda: kube.list("experiments", namespace, name=self.name)[0])

    def _end(self) -> float | None:
        """Until when to watch: while it is not there, no longer than it may take to appear."""
        if self._latest:
            return self.deadline
        if self.deadline is None:
            return self.appear
        return min(self.appear, self.deadline)

    def _where(self) -> str:
        return f"experiment {self.katib.namespace}/{self.name}"


def state(item: Mapping[str, Any]) -> str:
    """Return the state of an Experiment, a Trial or a Suggestion: the type of its last condition that holds.

    Conditions move to the end when they change. `Restarting` stays true for good, in front of what came after it.
    """
    conditions = item.get("status", {}).get("conditions") or ()
    return next(
        (str(c["type"]) for c in reversed(conditions) if c.get("status") == "True"), "Created"
    )


def terminal(trial: Mapping[str, Any]) -> bool:
    """Whether a Trial has ended, in whatever way."""
    return state(trial) in FINISHED


def owned(trials: list[Object], experiment: Object) -> list[Object]:
    """Return an Experiment's own Trials, oldest first; those of a deleted one of the same name may still be there."""
    uid = _uid(experiment)
    mine = [
        t
        for t in trials
        if uid in {o["uid"] for o in t["metadata"].get("ownerReferences", ())} or uid is None
    ]
    return sorted(
        mine, key=lambda t: (t["metadata"].get("creationTimestamp", ""), t["metadata"]["name"])
    )


def _uid(item: Object) -> Any:  # noqa: ANN401 - None where there is none
    return item.get("metadata", {}).get("uid")


def _label(name: str) -> str:
    return f"{EXPERIMENT_LABEL}={name}"


def _as_written(experiment: Experiment, namespace: str) -> Object:
    """Return the object to create: Katib fills in its own defaults, which may be newer than ours."""
    body = copy.deepcopy(experiment.written or experiment.document)
    body["metadata"] = {**body["metadata"], "namespace": namespace}
    body.pop("status", None)
    return body
