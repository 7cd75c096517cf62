"""Watches: the changes of objects as they come, a line of JSON each."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from katib.endpoint.object_store import ObjectStore
from katib.endpoint.refusals import Refusal, bad_request
from katib.endpoint.resources import Resource
from katib.endpoint.run_objects import Entry
from katib.endpoint.selectors import matches
from katib.objects import JsonObject

LOOK = 0.2  # seconds between two looks at the folders while somebody watches
LONGEST = 3600.0  # seconds; clients begin a new watch where the old one ended
INITIAL_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True, slots=True)
class ObjectSelection:
    """Which objects a request is about; empty texts select all."""

    resource: Resource
    namespace: str = ""
    labels: str = ""
    fields: str = ""

    def includes(self, entry: Entry) -> bool:
        """Whether an object is selected."""
        same_kind = entry.resource is self.resource
        in_place = self.namespace in {"", entry.item["metadata"]["namespace"]}
        return same_kind and in_place and matches(entry.item, self.labels, self.fields)


class WatchOptions(NamedTuple):
    """What a client states of a watch.

    Attributes:
        version: the resourceVersion after which changes are sent; None for the present objects
            first.
        seconds: how long.
        bookmark: whether the end of the present objects is marked.
    """

    version: int | None
    seconds: float
    bookmark: bool


def read_watch_options(query: Mapping[str, str]) -> WatchOptions:
    """Read the parameters of a request.

    Raises:
        Refusal: when one is no number.
    """
    text = query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents") == "true"
    try:
        version = None if initial or text in {"", "0"} else int(text)
        seconds = min(float(query.get("timeoutSeconds") or LONGEST), LONGEST)
    except ValueError:
        raise bad_request("resourceVersion and timeoutSeconds are numbers") from None
    return WatchOptions(version, seconds, initial)


async def watch(
    store: ObjectStore,
    selection: ObjectSelection,
    options: WatchOptions,
    show: Callable[[JsonObject], JsonObject],
) -> AsyncIterator[bytes]:
    """Yield the events of a watch until its time is over.

    Args:
        store: the objects.
        selection: which of them.
        options: from when, and how long.
        show: makes of an object what the client gets, such as a table.
    """
    seen = store.version
    if options.version is None:
        for entry in store.select(selection.resource, selection.namespace):
            if selection.includes(entry):
                yield _line("ADDED", show(entry.item))
        if options.bookmark:
            yield _line("BOOKMARK", _bookmark(selection.resource, seen))
    else:
        seen = options.version
    end = asyncio.get_running_loop().time() + options.seconds
    while True:
        try:
            for change in store.changes_after(seen):
                seen = change.version
                if selection.includes(change.entry):
                    yield _line(change.kind, show(change.entry.item))
        except Refusal as refusal:
            yield _line("ERROR", refusal.to_status())
            return
        rest = end - asyncio.get_running_loop().time()
        if rest <= 0:
            return
        await asyncio.sleep(min(LOOK, rest))
        store.refresh()


def _line(kind: str, item: JsonObject) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"


def _bookmark(resource: Resource, version: int) -> JsonObject:
    metadata = {"resourceVersion": str(version), "annotations": INITIAL_END}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
