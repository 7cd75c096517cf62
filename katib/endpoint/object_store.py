"""The objects of all runs as they are now, and how they have changed since clients last looked.

Nothing is kept but what the runs' folders hold: each look compares the files' times and reads again
what has changed, whoever changed it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from katib.endpoint.refusals import Refusal, not_found
from katib.endpoint.resources import Resource
from katib.endpoint.run_objects import Entry, fixed_entries, run_entries
from katib.endpoint.selectors import ObjectSelection
from katib.local.run_folder import META, STATUS, TRIALS, modified_at, newest_run
from katib.objects import JsonObject

KEPT_CHANGES = 5_000
Key = tuple[str, str, str]  # plural, namespace, name
Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `kind` is ADDED, MODIFIED or DELETED."""

    version: int
    kind: str
    entry: Entry


class ObjectStore:
    """The newest run of each Experiment, as objects with resourceVersions.

    Args:
        root: the folder of all Experiments' runs.
        failure: gives why the engine of a run's folder could not continue; empty if it did.
    """

    def __init__(self, root: Path, failure: Callable[[Path], str]) -> None:
        self.root = root
        self._failure = failure
        # Larger than any that an earlier process has given: it gave less than one a millisecond.
        self.version = self._oldest = time.time_ns() // 1_000_000
        self._entries: dict[Key, Entry] = {}
        self._stamps: dict[str, tuple[Stamp, list[Entry]]] = {}
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)

    def refresh(self) -> None:
        """Look at the folders."""
        entries = [entry for found in self._read_runs() for entry in found]
        namespaces = {"default", *(entry.item["metadata"]["namespace"] for entry in entries)}
        found = {entry.key: entry for entry in [*entries, *fixed_entries(sorted(namespaces))]}
        for key, known in list(self._entries.items()):
            if key not in found or _uid_of(known) != _uid_of(found[key]):
                self._record("DELETED", self._entries.pop(key))
        for key, entry in found.items():
            if key not in self._entries:
                self._record("ADDED", entry)
            elif _unversioned(self._entries[key].item) != entry.item:
                self._record("MODIFIED", entry)

    def select(self, selection: ObjectSelection) -> list[Entry]:
        """Return the objects that are selected, the oldest first."""
        found = [e for e in self._entries.values() if selection.includes(e.resource, e.item)]
        return sorted(found, key=lambda entry: entry.item["metadata"]["creationTimestamp"])

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        """Return one object.

        Raises:
            Refusal: when it does not exist.
        """
        try:
            return self._entries[resource.plural, namespace, name]
        except KeyError:
            raise not_found(resource, name) from None

    def changes_after(self, version: int) -> Iterator[Change]:
        """Yield what has changed after a resourceVersion.

        Raises:
            Refusal: when that is too long ago; the client lists everything again.
        """
        if version < self._oldest:
            text = f"too old resource version: {version} ({self._oldest})"
            raise Refusal(HTTPStatus.GONE, text)
        return (change for change in list(self._changes) if change.version > version)

    def _read_runs(self) -> Iterator[list[Entry]]:
        names = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
        for name in {*self._stamps} - {*names}:
            del self._stamps[name]
        for name in sorted(names):
            run = newest_run(self.root, name)
            if run is None:
                continue
            times = [modified_at(run / file) for file in (META, STATUS, TRIALS)]
            stamp = (run, *times, self._failure(run))
            known = self._stamps.get(name)
            if known is None or known[0] != stamp:
                self._stamps[name] = known = (stamp, run_entries(run, self._failure(run)))
            yield known[1]

    def _record(self, kind: str, entry: Entry) -> None:
        self.version += 1
        metadata = {**entry.item["metadata"], "resourceVersion": str(self.version)}
        versioned = replace(entry, item={**entry.item, "metadata": metadata})
        if kind != "DELETED":
            self._entries[entry.key] = versioned
        if len(self._changes) == KEPT_CHANGES:
            self._oldest = self._changes[0].version
        self._changes.append(Change(self.version, kind, versioned))


def _uid_of(entry: Entry) -> str:
    return str(entry.item["metadata"].get("uid", ""))


def _unversioned(item: JsonObject) -> JsonObject:
    metadata = {key: item["metadata"][key] for key in item["metadata"] if key != "resourceVersion"}
    return {**item, "metadata": metadata}
