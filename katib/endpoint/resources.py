"""The kinds of objects that the endpoint has, and how it describes itself to clients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from katib.objects import JsonObject, KatibObject, assignments

KATIB_GROUP = "kubeflow.org"
KATIB_VERSION = "v1beta1"
TRAINER_GROUP = "trainer.kubeflow.org"  # Kubeflow Trainer's, whose TrainJobs trials may be
TRAINER_VERSION = "v1alpha1"
READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
KUBERNETES = ("1", "34")  # whose API this is a part of


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table that kubectl prints; `priority` 1 only shows with `-o wide`."""

    name: str
    cell: Callable[[KatibObject], object]
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects.

    Attributes:
        group: the API group; empty for Kubernetes' core.
        version: the group's version.
        plural: its name in paths.
        kind: its name in objects.
        verbs: what clients may do.
        columns: of the table, between name and age.
        namespaced: whether its objects are in namespaces.
    """

    group: str
    version: str
    plural: str
    kind: str
    verbs: tuple[str, ...] = READ
    columns: tuple[Column, ...] = field(default=(), repr=False)
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """Its name in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _last_condition_field(name: str) -> Callable[[KatibObject], object]:
    def cell(item: KatibObject) -> object:
        conditions = item.get("status", {}).get("conditions") or [{}]
        return conditions[-1].get(name, "")

    return cell


def _best_trial(item: KatibObject) -> object:
    return item["status"].get("currentOptimalTrial", {}).get("bestTrialName", "")


def _trial_count(item: KatibObject) -> object:
    limit = item["spec"].get("maxTrialCount", "no limit")
    return f"{item['status'].get('trials', 0)}/{limit}"


def _parameters(item: KatibObject) -> object:
    return ",".join(f"{name}={value}" for name, value in assignments(item).items())


def _phase(item: KatibObject) -> object:
    return item["status"]["phase"]


# Those of Katib's own definitions; the columns of priority 1 are ours.
CONDITION_COLUMNS = (
    Column("Type", _last_condition_field("type")),
    Column("Status", _last_condition_field("status")),
)
EXPERIMENTS = Resource(
    KATIB_GROUP,
    KATIB_VERSION,
    "experiments",
    "Experiment",
    READ + WRITE,
    (*CONDITION_COLUMNS, Column("Trials", _trial_count, 1), Column("Best", _best_trial, 1)),
)
TRIALS = Resource(
    KATIB_GROUP,
    KATIB_VERSION,
    "trials",
    "Trial",
    READ,
    (*CONDITION_COLUMNS, Column("Parameters", _parameters, 1)),
)
SUGGESTIONS = Resource(
    KATIB_GROUP,
    KATIB_VERSION,
    "suggestions",
    "Suggestion",
    READ,
    (
        *CONDITION_COLUMNS,
        Column("Requested", lambda item: item["spec"]["requests"]),
        Column("Assigned", lambda item: item["status"]["suggestionCount"]),
    ),
)
PODS = Resource("", "v1", "pods", "Pod", READ, (Column("Status", _phase),))
EVENTS = Resource("", "v1", "events", "Event", READ)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", ("get", "list"), namespaced=False)
TRAIN_JOBS = Resource(TRAINER_GROUP, TRAINER_VERSION, "trainjobs", "TrainJob")
RUNTIMES = Resource(
    TRAINER_GROUP,
    TRAINER_VERSION,
    "clustertrainingruntimes",
    "ClusterTrainingRuntime",
    ("get", "list"),
    namespaced=False,
)
RESOURCES = (
    EXPERIMENTS,
    TRIALS,
    SUGGESTIONS,
    PODS,
    EVENTS,
    NAMESPACES,
    TRAIN_JOBS,
    RUNTIMES,
)
GROUPS = {KATIB_GROUP: KATIB_VERSION, TRAINER_GROUP: TRAINER_VERSION}


def find_resource(group: str, plural: str) -> Resource | None:
    """Return the resource of a path; None if there is none."""
    found = (each for each in RESOURCES if (each.group, each.plural) == (group, plural))
    return next(found, None)


def version_document() -> JsonObject:
    """Return what `/version` answers; clients look at the numbers alone."""
    major, minor = KUBERNETES
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0+tunegate",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    }


def group_document(group: str) -> JsonObject | None:
    """Return the description of a group; None if there is no such group."""
    if group not in GROUPS:
        return None
    version = {"groupVersion": f"{group}/{GROUPS[group]}", "version": GROUPS[group]}
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": [version],
        "preferredVersion": version,
    }


def resource_list(api_version: str) -> JsonObject | None:
    """Return the description of a group's resources; None if there is no such group."""
    members = [each for each in RESOURCES if each.api_version == api_version]
    if not members:
        return None
    described = [_describe(each) for each in members]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": described,
    }


def openapi_index() -> JsonObject:
    """Return what `/openapi/v3` answers."""
    path = f"apis/{EXPERIMENTS.api_version}"
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"}}}


def openapi_document() -> JsonObject:
    """Return as much of OpenAPI as kubectl looks for: that the server validates fields itself."""
    parameters = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    paths = {}
    for resource in _members(KATIB_GROUP):
        path = f"/apis/{resource.api_version}/namespaces/{{namespace}}/{resource.plural}/{{name}}"
        paths[path] = {
            "patch": {
                "parameters": parameters,
                "responses": {},
                "x-kubernetes-group-version-kind": {
                    "group": resource.group,
                    "version": resource.version,
                    "kind": resource.kind,
                },
            }
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Katib", "version": KATIB_VERSION},
        "paths": paths,
    }


def _members(group: str) -> Sequence[Resource]:
    return [each for each in RESOURCES if each.group == group]


def _describe(resource: Resource) -> JsonObject:
    described: JsonObject = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.group == KATIB_GROUP:
        described["categories"] = ["all", "kubeflow", "katib"]
    return described
