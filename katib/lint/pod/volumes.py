"""Kubernetes' rules for the volumes of a pod."""

from collections.abc import Iterator

from katib.document import Document, FieldPath
from katib.lint.pod.texts import (
    climbs,
    has_placeholder,
    is_label_name,
    is_subdomain,
    read_quantity,
)
from katib.lint.violation import Violation, check_word, list_items
from katib.objects import JsonObject, JsonValue

MEDIA = ("", "Memory", "HugePages")
HOST_PATHS = (
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
# The field by which a volume names another object.
NAMED = {
    "persistentVolumeClaim": "claimName",
    "configMap": "name",
    "secret": "secretName",
}
REQUIRED = {
    "hostPath": ("path",),
    "nfs": ("server", "path"),
    "csi": ("driver",),
    "persistentVolumeClaim": ("claimName",),
    "configMap": ("name",),
    "secret": ("secretName",),
}
PROJECTED = {"configMap": "name", "secret": "name", "serviceAccountToken": "path"}
MOST_MODE = 0o777
KATIBS_VOLUME = "metrics-volume"


def check_volumes(document: Document, pod: FieldPath) -> Iterator[Violation]:
    """Yield every violation in the volumes of the pod at `pod`."""
    names: set[str] = set()
    for path, volume in list_items(document, *pod, "volumes"):
        name = str(volume.get("name") or "")
        if not is_label_name(name) and not has_placeholder(name):
            message = f"{name!r} is no name of a volume: up to 63 of a-z, 0-9 and '-'"
            yield Violation("K280", (*path, "name"), message)
        if name in names:
            yield Violation("K285", (*path, "name"), f"{name} occurs twice")
        if name == KATIBS_VOLUME:
            message = "Katib adds a volume of this name to every pod"
            yield Violation("K285", (*path, "name"), message, "give it another name")
        names.add(name)
        kinds = [kind for kind in volume if kind != "name" and volume[kind] is not None]
        if len(kinds) > 1:
            message = f"must have one kind, has {', '.join(map(str, kinds))}"
            yield Violation("K285", path, message, "keep one")
        for kind in kinds:
            source = volume[kind]
            if isinstance(source, dict):
                yield from _check_source((*path, str(kind)), str(kind), source)


def _check_source(path: FieldPath, kind: str, source: JsonObject) -> Iterator[Violation]:
    for name in REQUIRED.get(kind, ()):
        if not source.get(name):
            yield Violation("K285", path, f"{name} is missing")
    named = source.get(NAMED.get(kind, ""))
    if isinstance(named, str) and named and not has_placeholder(named) and not is_subdomain(named):
        message = f"{named!r} is not a name that Kubernetes has"
        yield Violation("K280", (*path, NAMED[kind]), message)
    if kind == "emptyDir":
        yield from _check_empty_dir(path, source)
    if kind in {"hostPath", "nfs"}:
        yield from _check_path(path, kind, source)
    yield from _check_mode((*path, "defaultMode"), source.get("defaultMode"))
    for index, item in enumerate(_mappings(source.get("items"))):
        yield from _check_item((*path, "items", index), item, is_own=kind == "downwardAPI")
    for index, part in enumerate(_mappings(source.get("sources"))):
        yield from _check_projected((*path, "sources", index), part)


def _mappings(value: JsonValue) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _check_mode(path: FieldPath, mode: JsonValue) -> Iterator[Violation]:
    if isinstance(mode, int) and not isinstance(mode, bool) and not 0 <= mode <= MOST_MODE:
        message = f"must be from 0 to 0777, is {mode}"
        yield Violation("K289", path, message, "write it with a 0 in front")


def _check_projected(path: FieldPath, part: JsonObject) -> Iterator[Violation]:
    for kind, name in PROJECTED.items():
        source = part.get(kind)
        if isinstance(source, dict) and not source.get(name):
            yield Violation("K285", (*path, kind), f"{name} is missing")


def _check_path(path: FieldPath, kind: str, source: JsonObject) -> Iterator[Violation]:
    place = str(source.get("path") or "/")
    if kind == "hostPath" and climbs(place):
        yield Violation("K285", (*path, "path"), "must not contain ..")
    if kind == "nfs" and not place.startswith("/"):
        yield Violation("K285", (*path, "path"), "must be an absolute path")
    if kind == "hostPath" and source.get("type") is not None:
        yield from check_word("K281", (*path, "type"), source["type"], HOST_PATHS)


def _check_empty_dir(path: FieldPath, source: JsonObject) -> Iterator[Violation]:
    medium = source.get("medium")
    if medium and not str(medium).startswith("HugePages"):
        yield from check_word("K281", (*path, "medium"), medium, MEDIA[1:])
    limit = source.get("sizeLimit")
    if limit is None or has_placeholder(limit):
        return
    number = read_quantity(limit)
    if number is None or number < 0:
        message = f"{limit!r} is no quantity, such as 500Mi or 4Gi"
        yield Violation("K283", (*path, "sizeLimit"), message)


def _check_item(path: FieldPath, item: JsonObject, *, is_own: bool) -> Iterator[Violation]:
    """Check a file of a volume; `is_own` if it holds what the pod itself says."""
    for name in ("path",) if is_own else ("key", "path"):
        if not item.get(name):
            yield Violation("K285", path, f"{name} is missing")
    if is_own and not (item.get("fieldRef") or item.get("resourceFieldRef")):
        yield Violation("K285", path, "fieldRef or resourceFieldRef is missing")
    yield from _check_mode((*path, "mode"), item.get("mode"))
    inner = str(item.get("path") or "")
    if inner.startswith("/") or climbs(inner):
        yield Violation("K285", (*path, "path"), "must be a path inside of the volume")
