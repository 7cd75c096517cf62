"""The kinds of objects that the endpoint has.

`discovery.json` lists them; it holds what clients ask first, by path: versions, groups, resources,
and as much of OpenAPI as kubectl needs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from katib.objects import JsonObject, JsonValue


def read_data(name: str) -> JsonObject:
    """Return a JSON file of this package."""
    content: JsonObject = json.loads(files(__package__).joinpath(name).read_bytes())
    return content


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects.

    Attributes:
        group: the API group; empty for Kubernetes' core.
        version: the group's version.
        plural: its name in paths.
        kind: its name in objects.
    """

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}".removeprefix("/")

    @property
    def full_name(self) -> str:
        """Its name in messages."""
        return f"{self.plural}.{self.group}".removesuffix(".")


def _read_resources() -> Iterator[Resource]:
    for document in DISCOVERY.values():
        if document.get("kind") == "APIResourceList":
            group, _, version = document["groupVersion"].rpartition("/")
            for each in document["resources"]:
                yield Resource(group, version, each["name"], each["kind"])


DISCOVERY = read_data("discovery.json")
RESOURCES = {(each.group, each.plural): each for each in _read_resources()}
EXPERIMENTS = RESOURCES["kubeflow.org", "experiments"]
TRIALS = RESOURCES["kubeflow.org", "trials"]
SUGGESTIONS = RESOURCES["kubeflow.org", "suggestions"]
PODS = RESOURCES["", "pods"]
NAMESPACES = RESOURCES["", "namespaces"]
TRAIN_JOBS = RESOURCES["trainer.kubeflow.org", "trainjobs"]
RUNTIMES = RESOURCES["trainer.kubeflow.org", "clustertrainingruntimes"]


def find_value(item: JsonValue, path: str) -> JsonValue:
    """Return what stands at a path such as `status.conditions.-1.type`; None if nothing does."""
    for step in path.split("."):
        try:
            if isinstance(item, Mapping):
                item = item[step]
            elif isinstance(item, Sequence) and not isinstance(item, str):
                item = item[int(step)]
            else:
                return None
        except (LookupError, ValueError):
            return None
    return item
