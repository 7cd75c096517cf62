"""An Experiment on a cluster: create it, follow it, collect its Trials.

The objects are followed, never the Experiment's counters: those freeze at its end, with a Trial
that still runs counted as pending for ever (seen on Katib v0.19).
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from katib.cluster.spec_diff import first_difference
from katib.cluster.watch import ClusterApi, RetryBudget, Selection, object_changes
from katib.errors import AlreadyExists, Gone, Missing, TimedOut
from katib.experiment import Experiment
from katib.objects import EXPERIMENT_LABEL, JsonObject, JsonValue, is_finished, state

STRAGGLERS = 600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The Experiment and its Trials at one moment; `finished` ended since the moment before."""

    experiment: JsonObject
    trials: tuple[JsonObject, ...]
    finished: tuple[JsonObject, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the Experiment is over; some of its Trials may still run."""
        return is_finished(self.experiment)

    @property
    def unfinished(self) -> tuple[JsonObject, ...]:
        """The Trials that run or wait."""
        return tuple(trial for trial in self.trials if not is_finished(trial))


@dataclass(slots=True)
class KatibCluster:
    """Katib in one namespace of a cluster.

    Attributes:
        client: a `katib.cluster.client.KubernetesClient`.
        namespace: where the Experiments are.
        notify: called with what people should know while they wait.
        clock: a monotonic clock.
        pause: waits for some seconds, between two attempts to reach the API server.
    """

    client: ClusterApi
    namespace: str
    notify: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def submit(self, experiment: Experiment) -> tuple[JsonObject, bool]:
        """Create an Experiment as it is written, unless the cluster has the same one already.

        Returns:
            The Experiment as the cluster has it, and whether it was created.

        Raises:
            Refused: when a webhook refuses it; the message has the webhook's words.
            AlreadyExists: when there is another Experiment of that name.
            Forbidden, Missing, ClusterUnreachable: see `katib.errors`.
        """
        body = _as_written(experiment, self.namespace)
        name = body["metadata"].get("name")
        for _ in range(2):  # another client may create it between our two requests
            existing = self._find(name) if name else None
            if existing:
                self._check_same(experiment, existing)
                return existing, False
            try:
                return self.client.create("experiments", self.namespace, body), True
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
            Gone: when it is deleted meanwhile, even to create another one of the same name.
            TimedOut: when `timeout` is over before the Experiment has ended.
            ClusterUnreachable: when the API server has not answered for `patience`, or when
                `timeout` is over.
        """
        now = self.clock()
        deadline = None if timeout is None else now + timeout
        budget = RetryBudget(
            patience,
            self.notify,
            self.clock,
            self.pause,
            math.inf if deadline is None else deadline,
        )
        follower = _Follower(self, name, budget, deadline, now + appear)
        yield from follower.until_ended()
        yield from follower.until_all_ended(self.clock() + stragglers)

    def trials(self, experiment: JsonObject) -> list[JsonObject]:
        """Return an Experiment's Trials, oldest first."""
        labels = _label_selector(experiment["metadata"]["name"])
        found, _ = self.client.list("trials", self.namespace, labels=labels)
        return owned_trials(found, experiment)

    def _find(self, name: str) -> JsonObject | None:
        found, _ = self.client.list("experiments", self.namespace, name=name)
        return found[0] if found else None

    def _check_same(self, experiment: Experiment, existing: JsonObject) -> None:
        name = existing["metadata"]["name"]
        where = f"experiment {self.namespace}/{name}"
        delete = f"kubectl delete experiment {name} -n {self.namespace}"
        if "deletionTimestamp" in existing["metadata"]:
            raise AlreadyExists(f"{where} is being deleted", hint=f"wait for it: `{delete}`")
        if found := first_difference(experiment.document["spec"], existing["spec"]):
            raise AlreadyExists(
                f"{where} exists already with another {found}",
                hint="give yours another metadata.name, or delete that one, "
                f"its Trials with it: `{delete}`",
            )


@dataclass(slots=True)
class _Follower:
    """Follows one Experiment once."""

    katib: KatibCluster
    name: str
    budget: RetryBudget
    deadline: float | None
    appear: float
    _latest: JsonObject | None = None
    _reported: frozenset[str] = frozenset()
    _versions: tuple[str, ...] = ()

    def until_ended(self) -> Iterator[Progress]:
        what = Selection("experiments", self.katib.namespace, name=self.name)
        for found in object_changes(self.katib.client, what, self.budget, self._watch_end):
            if self._remember(found):
                yield from self._new_progress(self._trials())
                if is_finished(self._known()):
                    return
        if self._latest is None and (self.deadline is None or self.appear <= self.deadline):
            hint = f"`kubectl get experiments -n {self.katib.namespace}` lists those that exist"
            raise Missing(f"{self._where()}: there is none of that name", hint=hint)
        raise TimedOut(
            f"{self._where()}: not over in the time given, {state(self._known())}",
            hint="it keeps running; the same command follows it again, "
            f"and `tunegate doctor --experiment {self.name}` says what it waits for",
        )

    def until_all_ended(self, until: float) -> Iterator[Progress]:
        if self.deadline is not None:
            until = min(until, self.deadline)
        trials = self._trials()
        what = Selection("trials", self.katib.namespace, labels=_label_selector(self.name))
        if not all(map(is_finished, trials)):
            for found in object_changes(self.katib.client, what, self.budget, lambda: until):
                self._remember(self._experiments())
                trials = owned_trials(found, self._known())
                yield from self._new_progress(trials)
                if all(map(is_finished, trials)):
                    break
        self._remember(self._experiments())  # its status may have changed with the last Trial
        yield from self._new_progress(trials)

    def _remember(self, found: list[JsonObject]) -> bool:
        """Keep the Experiment as it is now; returns whether it exists yet."""
        if self._latest is None and not found:
            return False
        now = next(
            (item for item in found if self._latest is None or _uid(item) == _uid(self._latest)),
            None,
        )
        if now is None or "deletionTimestamp" in now["metadata"]:
            raise Gone(
                f"{self._where()} was deleted while it was followed",
                hint="the same command creates it again",
            )
        self._latest = now
        return True

    def _new_progress(self, trials: list[JsonObject]) -> Iterator[Progress]:
        versions = tuple(
            item["metadata"].get("resourceVersion", "") for item in (self._known(), *trials)
        )
        if versions == self._versions:  # seen again after a new connection
            return
        ended = {_uid(trial) for trial in trials if is_finished(trial)}
        finished = tuple(trial for trial in trials if _uid(trial) in ended - self._reported)
        self._versions = versions
        self._reported = self._reported | ended
        yield Progress(self._known(), tuple(trials), finished)

    def _known(self) -> JsonObject:
        return self._latest or {}

    def _trials(self) -> list[JsonObject]:
        return self.budget.ask(lambda: self.katib.trials(self._known()))

    def _experiments(self) -> list[JsonObject]:
        client = self.katib.client
        namespace = self.katib.namespace
        return self.budget.ask(lambda: client.list("experiments", namespace, name=self.name)[0])

    def _watch_end(self) -> float | None:
        """Return when to stop; a missing Experiment is awaited until `appear` at the latest."""
        if self._latest:
            return self.deadline
        if self.deadline is None:
            return self.appear
        return min(self.appear, self.deadline)

    def _where(self) -> str:
        return f"experiment {self.katib.namespace}/{self.name}"


def owned_trials(trials: list[JsonObject], experiment: JsonObject) -> list[JsonObject]:
    """Return an Experiment's Trials, oldest first, without a deleted one's of the same name."""
    uid = _uid(experiment)
    mine = [
        trial
        for trial in trials
        if uid is None
        or uid in {owner["uid"] for owner in trial["metadata"].get("ownerReferences", ())}
    ]
    return sorted(
        mine, key=lambda t: (t["metadata"].get("creationTimestamp", ""), t["metadata"]["name"])
    )


def _uid(item: JsonObject) -> JsonValue:
    """Return the object's uid, None before it exists."""
    return item.get("metadata", {}).get("uid")


def _label_selector(experiment: str) -> str:
    return f"{EXPERIMENT_LABEL}={experiment}"


def _as_written(experiment: Experiment, namespace: str) -> JsonObject:
    """Return the object to create, without our defaults: Katib's own may be newer."""
    body = copy.deepcopy(experiment.written or experiment.document)
    body["metadata"] = {**body["metadata"], "namespace": namespace}
    body.pop("status", None)
    return body
