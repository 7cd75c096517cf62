"""Watches: the changes of objects as they come, a line of JSON each."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from katib.endpoint.object_store import ObjectStore
from katib.endpoint.refusals import Refusal, bad_request
from katib.endpoint.selectors import ObjectSelection
from katib.objects import JsonObject

LOOK = 0.2  # seconds between two looks at the folders while somebody watches
LONGEST = 3600.0  # seconds; clients begin a new watch where the old one ended
INITIAL_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True, slots=True)
class Watch:
    """What a client watches.

    Attributes:
        store: the objects.
        selection: which of them.
        show: makes of an object what the client gets, such as a table.
    """

    store: ObjectStore
    selection: ObjectSelection
    show: Callable[[JsonObject], JsonObject]

    def events(self, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Return the events, until the time is over that the client has stated.

        Args:
            query: after `resourceVersion` changes are sent; without it, or with
                `sendInitialEvents`, the present objects come first. `timeoutSeconds` says how long.

        Raises:
            Refusal: when a parameter is no number.
        """
        marked = query.get("sendInitialEvents") == "true"
        try:
            version = 0 if marked else int(query.get("resourceVersion") or 0)
            seconds = min(LONGEST, float(query.get("timeoutSeconds") or LONGEST))  # also for nan
        except ValueError:
            raise bad_request("resourceVersion and timeoutSeconds are numbers") from None
        return self._follow(version, seconds, marked=marked)

    async def _follow(self, version: int, seconds: float, *, marked: bool) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        if not version:
            version = self.store.version
            for entry in self.store.select(self.selection):
                yield _line("ADDED", self.show(entry.item))
            if marked:
                yield _line("BOOKMARK", self._bookmark(version))
        while True:
            try:
                for change in self.store.changes_after(version):
                    version = change.version
                    if self.selection.includes(change.entry.resource, change.entry.item):
                        yield _line(change.kind, self.show(change.entry.item))
            except Refusal as refusal:
                yield _line("ERROR", refusal.to_status())
                return
            if clock() >= end:
                return
            await asyncio.sleep(min(LOOK, end - clock()))
            self.store.refresh()

    def _bookmark(self, version: int) -> JsonObject:
        kind = self.selection.resource
        metadata = {"resourceVersion": str(version), "annotations": INITIAL_END}
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _line(kind: str, item: JsonObject) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"
