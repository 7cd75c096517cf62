"""The objects of all runs as they are now, and how they have changed since clients last looked.

Nothing is kept but what the runs' folders hold: each look compares the files' times and reads again
what has changed, whoever changed it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from katib.endpoint.refusals import Refusal, not_found
from katib.endpoint.resources import Resource
from katib.endpoint.run_objects import Entry, run_entries
from katib.local.run_folder import META, STATUS, TRIALS, modified_at, newest_run
from katib.objects import JsonObject

KEPT_CHANGES = 5_000
Key = tuple[str, str, str]  # plural, namespace, name
Stamp = tuple[Path, int, int, int, str]


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

    def refresh(self) -> bool:
        """Look at the folders; returns whether anything has changed."""
        before = self.version
        found = {entry.key: entry for entries in self._read_runs() for entry in entries}
        for key in [key for key in self._entries if key not in found]:
            self._record("DELETED", self._entries.pop(key))
        for key, entry in found.items():
            known = self._entries.get(key)
            if known is None:
                self._record("ADDED", entry)
            elif _uid_of(known) != _uid_of(entry):
                self._record("DELETED", known)
                self._record("ADDED", entry)
            elif _unversioned(known.item) != entry.item:
                self._record("MODIFIED", entry)
        return self.version != before

    def select(self, resource: Resource, namespace: str = "") -> list[Entry]:
        """Return the objects of a kind, the oldest first; of all namespaces if none is named."""
        found = [
            entry
            for (plural, place, _), entry in self._entries.items()
            if plural == resource.plural and namespace in {"", place}
        ]
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

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold something, and `default`."""
        return sorted({"default", *(namespace for _, namespace, _ in self._entries)})

    def changes_after(self, version: int) -> Iterator[Change]:
        """Yield what has changed after a resourceVersion.

        Raises:
            Refusal: when that is too long ago; the client lists everything again.
        """
        if version < self._oldest:
            raise Refusal(
                HTTPStatus.GONE, "Expired", f"too old resource version: {version} ({self._oldest})"
            )
        return (change for change in list(self._changes) if change.version > version)

    def _read_runs(self) -> Iterator[list[Entry]]:
        names = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
        for name in {*self._stamps} - {*names}:
            del self._stamps[name]
        for name in sorted(names):
            run = newest_run(self.root, name)
            if run is None:
                continue
            stamp = (
                run,
                modified_at(run / META),
                modified_at(run / STATUS),
                modified_at(run / TRIALS),
                self._failure(run),
            )
            known = self._stamps.get(name)
            if known is None or known[0] != stamp:
                self._stamps[name] = known = (stamp, run_entries(run, stamp[-1]))
            yield known[1]

    def _record(self, kind: str, entry: Entry) -> None:
        self.version += 1
        metadata = {**entry.item["metadata"], "resourceVersion": str(self.version)}
        versioned = Entry(
            entry.resource, {**entry.item, "metadata": metadata}, entry.run, entry.trial
        )
        if kind != "DELETED":
            self._entries[entry.key] = versioned
        if len(self._changes) == KEPT_CHANGES:
            self._oldest = self._changes[0].version
        self._changes.append(Change(self.version, kind, versioned))


def _uid_of(entry: Entry) -> str:
    return str(entry.item["metadata"]["uid"])


def _unversioned(item: JsonObject) -> Mapping[str, object]:
    metadata = {key: item["metadata"][key] for key in item["metadata"] if key != "resourceVersion"}
    return {**item, "metadata": metadata}
