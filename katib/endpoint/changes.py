"""Creating, changing and deleting Experiments, checked as Katib's webhook and lint check them."""

import copy
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from katib.document import Document
from katib.endpoint.engines import Engines
from katib.endpoint.object_store import ObjectStore
from katib.endpoint.refusals import bad_request, conflict, invalid
from katib.endpoint.resources import EXPERIMENTS
from katib.endpoint.run_objects import Entry
from katib.endpoint.selectors import ObjectSelection
from katib.errors import InvalidExperiment
from katib.experiment import COUNTS, Experiment, to_experiment, with_defaults
from katib.lint import lint_document, only_errors
from katib.lint.finding import Finding
from katib.local.journal import Journal
from katib.local.katib_status import RESTARTABLE, ended_for_good, experiment_document
from katib.local.run_folder import (
    JOURNAL,
    is_running,
    newest_run,
    read_meta,
    read_objects,
    write_objects,
)
from katib.local.run_start import change_counts
from katib.objects import JsonObject, JsonValue, KatibObject, is_finished
from katib.trial import NAME_CHARACTERS

OF_CLIENTS = ("name", "namespace", "labels", "annotations")  # what they may write of `metadata`
SUFFIX = 5  # characters after a `generateName`
BUSY = "another process runs it on this machine: wait until it ends, or interrupt that process"


class Runs(Protocol):
    """Where runs begin."""

    def begin(self, experiment: Experiment) -> Path:
        """Make the folder of a new run, with all that an engine needs to resume it.

        Raises:
            InvalidExperiment: when its trials cannot run here, or its data cannot be used.
        """

    def is_own(self, folder: Path) -> bool:
        """Whether `begin` has begun a run; those of other commands are never resumed here."""

    def command(self, folder: Path) -> Sequence[str]:
        """Return the command that resumes the run in a folder, and ends when its stdin closes."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An Experiment as it was created or changed, and lint's words about it."""

    item: JsonObject
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that clients may make.

    Attributes:
        store: the objects.
        runs: where new runs begin.
        engines: the engines that work.
    """

    store: ObjectStore
    runs: Runs
    engines: Engines

    def create(self, body: JsonValue, namespace: str, *, dry_run: bool = False) -> Accepted:
        """Create an Experiment, and start it.

        Raises:
            Refusal: when it exists, is not valid, or cannot run here.
        """
        written = _written(body, namespace)
        name = str(written["metadata"].get("name", ""))
        experiment, findings = _check(written, name)
        if run := newest_run(self.store.root, name):
            raise conflict(EXPERIMENTS, name, f"its newest run is {run}", "AlreadyExists")
        if dry_run:
            return Accepted(experiment.document, findings)
        try:
            folder = self.runs.begin(experiment)
        except InvalidExperiment as error:
            text = f"{error} ({error.hint})" if error.hint else str(error)
            raise invalid(EXPERIMENTS, name, (), text) from error
        self.engines.start(folder)
        return self._accepted(experiment, findings)

    async def change(self, entry: Entry, changed: JsonObject, *, dry_run: bool = False) -> Accepted:
        """Change an Experiment's counts, labels and annotations.

        A running one is interrupted and resumed: trials that were running run again.

        Raises:
            Refusal: when anything else differs, or it has ended for good.
        """
        metadata = entry.item["metadata"]
        written = _written(changed, metadata["namespace"])
        _refuse_other_changes(entry.item, written)
        experiment, findings = _check(written, metadata["name"])
        recounted = any(
            entry.item["spec"].get(each) != experiment.spec.get(each) for each in COUNTS
        )
        if recounted:
            _refuse_late_changes(entry.item, experiment)
        if dry_run:
            kept = {name: metadata[name] for name in metadata if name not in OF_CLIENTS}
            item = {**entry.item, **experiment.document}
            return Accepted({**item, "metadata": {**kept, **item["metadata"]}}, findings)
        works = self._takes_over(entry)
        meta = read_meta(entry.run)
        if meta is None:
            raise conflict(EXPERIMENTS, metadata["name"], "it did not run on this machine")
        if experiment.written == meta["experiment"]:
            return Accepted(entry.item, findings)
        await self.engines.stop(entry.run)
        change_counts(entry.run, meta, experiment)
        before, trials = read_objects(entry.run)
        document = {**experiment.document, "status": before["status"]}
        if recounted:
            journal = Journal(entry.run / JOURNAL).ordered()
            document = experiment_document(experiment, journal, started=meta["started"])
        write_objects(entry.run, document, trials)
        if works or recounted:
            self.engines.start(entry.run)
        return self._accepted(experiment, findings)

    def resume(self) -> None:
        """Start engines for the runs that an earlier endpoint has left unfinished."""
        for entry in self.store.select(ObjectSelection(EXPERIMENTS)):
            if not is_finished(entry.item) and self.runs.is_own(entry.run):
                self.engines.start(entry.run)

    async def delete(self, entry: Entry) -> None:
        """Delete an Experiment with all of its runs; the trials' model packages stay.

        Raises:
            Refusal: when another process runs it.
        """
        self._takes_over(entry)
        await self.engines.stop(entry.run)
        shutil.rmtree(entry.run.parent, ignore_errors=True)
        self.store.refresh()

    def _takes_over(self, entry: Entry) -> bool:
        """Return whether an engine of this endpoint works on a run.

        Raises:
            Refusal: when that of another process does.
        """
        if self.engines.owns(entry.run):
            return True
        if is_running(entry.run):
            raise conflict(EXPERIMENTS, entry.item["metadata"]["name"], BUSY)
        return False

    def _accepted(self, experiment: Experiment, findings: tuple[Finding, ...]) -> Accepted:
        self.store.refresh()
        found = self.store.get(EXPERIMENTS, experiment.namespace, experiment.name)
        return Accepted(found.item, findings)


def _written(body: JsonValue, namespace: str) -> JsonObject:
    """Return an Experiment without what the server writes itself.

    Raises:
        Refusal: when it is no object, or is of another namespace.
    """
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        raise bad_request("the body is no object with metadata")
    if body.get("kind") != EXPERIMENTS.kind:
        raise bad_request(f"the object is no {EXPERIMENTS.kind}, but {body.get('kind')!r}")
    written = {name: copy.deepcopy(body[name]) for name in body if name != "status"}
    metadata = written["metadata"]
    prefix = metadata.get("generateName")
    if prefix and not metadata.get("name"):
        metadata["name"] = f"{prefix}" + "".join(
            secrets.choice(NAME_CHARACTERS) for _ in range(SUFFIX)
        )
    if metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    written["metadata"] = {
        name: metadata[name] for name in OF_CLIENTS if metadata.get(name) is not None
    }
    return written


def _check(written: JsonObject, name: str) -> tuple[Experiment, tuple[Finding, ...]]:
    """Let lint check an Experiment as this machine would run it."""
    document = Document(source=name, value=written)
    findings = lint_document(document)
    errors = [each for each in only_errors(findings) if not each.for_cluster_only]
    if errors:
        raise invalid(EXPERIMENTS, name, errors)
    return to_experiment(document), tuple(findings)


def _refuse_other_changes(item: KatibObject, written: JsonObject) -> None:
    """Refuse what Katib's webhook refuses, and other names than the object's."""
    if written["metadata"].get("name") != item["metadata"]["name"]:
        raise bad_request("the name of the object does not match the name on the URL")
    try:
        new = with_defaults(written)["spec"]
    except (LookupError, TypeError, AttributeError):
        new = {}
    if _without_counts(new) != _without_counts(item["spec"]):
        raise bad_request(
            f"only {', '.join(COUNTS)} are editable: create another Experiment for another spec"
        )


def _without_counts(spec: KatibObject) -> JsonObject:
    return {name: value for name, value in spec.items() if name not in COUNTS}


def _refuse_late_changes(item: KatibObject, experiment: Experiment) -> None:
    """Refuse counts that can no longer have an effect, in the words of Katib's webhook."""
    limit = experiment.spec.get("maxTrialCount")
    trials = item["status"].get("trials", 0)
    if limit is not None and limit <= trials:
        raise bad_request(
            f"spec.maxTrialCount: {limit} must be greater than status.trials count: {trials}"
        )
    if is_finished(item) and ended_for_good(dict(item), experiment):
        policies = " or ".join(RESTARTABLE)
        raise bad_request(
            "Experiment can't be restarted: it must be Succeeded by reaching max trials, "
            f"with the resumePolicy {policies}"
        )
