"""Rules about the trial template: the Job and its placeholders.

Sources as in `katib.lint.rules.experiment`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from katib.document import Document, FieldPath
from katib.lint.job_schema import LOCAL_VOLUMES, check_job
from katib.lint.rules.experiment import PARAMETERS
from katib.lint.training_jobs import check_training_job
from katib.lint.violation import Edit, Violation, list_items, similar_word, unknown_fields
from katib.objects import JsonObject
from katib.one_process import find_obstacle, local_job

TEMPLATE: FieldPath = ("spec", "trialTemplate")
TRIAL_SPEC: FieldPath = (*TEMPLATE, "trialSpec")
JOB_SPEC: FieldPath = (*TRIAL_SPEC, "spec")
POD_SPEC: FieldPath = (*JOB_SPEC, "template", "spec")
TRIAL_PARAMETERS: FieldPath = (*TEMPLATE, "trialParameters")
TEMPLATE_FIELDS = (
    "trialSpec",
    "configMap",
    "trialParameters",
    "primaryContainerName",
    "primaryPodLabels",
    "successCondition",
    "failureCondition",
    "retain",
)
PLACEHOLDER = re.compile(r"\$\{trialParameters\.([^}]*)\}")
META = re.compile(
    r"\$\{trialSpec\.(Name|Namespace|Kind|APIVersion|(Labels|Annotations)\[[^\]]+\])\}"
)
FIELD = re.compile(r"metadata\.(?:name|namespace|(labels|annotations)\['([^']+)'\])")
WITH_CONDITIONS = ("Job", "TFJob", "PyTorchJob", "XGBoostJob", "MPIJob", "TrainJob")
VERSIONS = {
    "Job": "batch/v1",
    "PyTorchJob": "kubeflow.org/v1",
    "TFJob": "kubeflow.org/v1",
    "XGBoostJob": "kubeflow.org/v1",
}
CONFIG_MAP = ("configMapName", "configMapNamespace", "templatePath")


def check_trial_template(document: Document) -> Iterator[Violation]:
    """Yield every violation in the trial template."""
    if not isinstance(document.get(*TEMPLATE), dict):
        if isinstance(document.get("spec"), dict):
            yield Violation("K170", TEMPLATE, "is missing")
        return
    yield from unknown_fields(document, TEMPLATE, TEMPLATE_FIELDS)
    if not document.get(*TEMPLATE, "primaryContainerName"):
        yield Violation("K171", (*TEMPLATE, "primaryContainerName"), "is missing")
    if not document.get(*TRIAL_PARAMETERS):
        yield Violation("K172", TRIAL_PARAMETERS, "is missing or empty")
    yield from _check_source(document)
    trial_spec = document.get(*TRIAL_SPEC)
    if isinstance(trial_spec, dict):
        text = json.dumps(trial_spec, ensure_ascii=False)
        yield from _check_trial_parameters(document, text)
        yield from _check_metadata_references(document, trial_spec, text)
        yield from _check_quoting(document)
        yield from _check_kind(document, trial_spec)


def find_primary_container(document: Document) -> tuple[FieldPath, dict[str, object]] | None:
    """Return the path and the fields of the container that prints the metrics, if there is one."""
    name = document.get(*TEMPLATE, "primaryContainerName")
    containers = list_items(document, *POD_SPEC, "containers")
    return next((found for found in containers if found[1].get("name") == name), None)


def words_of(document: Document, container: FieldPath) -> list[str]:
    """Return the words of a container's command and args."""
    words = document.get_list(*container, "command") + document.get_list(*container, "args")
    return [str(word) for word in words]


def _check_source(document: Document) -> Iterator[Violation]:
    path = (*TEMPLATE, "configMap")
    referenced = document.get(*path)
    if bool(document.get(*TRIAL_SPEC)) == bool(referenced):
        yield Violation("K173", TEMPLATE, "exactly one of trialSpec and configMap is needed")
    if referenced:
        yield Violation("K304", path, "is not read locally", "put the Job into trialSpec")
        for name in CONFIG_MAP:
            if not document.get(*path, name):
                yield Violation("K187", path, f"{name} is missing")
    kind = document.get(*TRIAL_SPEC, "kind")
    if kind in WITH_CONDITIONS or not (referenced or kind):
        return
    near = similar_word(str(kind or ""), WITH_CONDITIONS)
    fix = f"did you mean kind: {near}?" if near else ""
    for name in ("successCondition", "failureCondition"):
        if not document.get(*TEMPLATE, name):
            kinds = ", ".join(WITH_CONDITIONS)
            message = f"{name} is missing; Katib has a default only for {kinds}"
            yield Violation("K185", TEMPLATE, message, fix)


def _check_trial_parameters(document: Document, text: str) -> Iterator[Violation]:
    searched = {str(entry.get("name")) for _, entry in list_items(document, *PARAMETERS)}
    names: set[str] = set()
    references: set[str] = set()
    for path, entry in list_items(document, *TRIAL_PARAMETERS):
        name = str(entry.get("name") or "")
        reference = str(entry.get("reference") or "")
        if not name or not reference or set("{}") & set(name):
            message = "needs a name and a reference, without braces in the name"
            yield Violation("K174", path, message)
        if name in names or reference in references:
            yield Violation("K175", path, "its name or its reference occurs twice")
        if f"${{trialParameters.{name}}}" not in text:
            message = f"${{trialParameters.{name}}} does not occur in trialSpec"
            yield Violation("K176", path, message)
        if searched and reference not in searched and not META.fullmatch(reference):
            message = f"{reference} is not in spec.parameters"
            yield Violation("K177", (*path, "reference"), message)
        names.add(name)
        references.add(reference)
    for name in sorted(set(PLACEHOLDER.findall(text)) - names):
        message = f"${{trialParameters.{name}}} is not in trialParameters"
        yield Violation("K178", TRIAL_SPEC, message)
    for name in sorted(searched - references):
        message = (
            f"no trialParameter refers to {name}: no Trial can be built, "
            "the Experiment stays Running for ever"
        )
        yield Violation("K230", TRIAL_PARAMETERS, message, "add one, or drop the parameter")


def _check_metadata_references(
    document: Document, trial_spec: JsonObject, text: str
) -> Iterator[Violation]:
    for path, entry in list_items(document, *TRIAL_PARAMETERS):
        found = META.fullmatch(str(entry.get("reference")))
        if not found or not found[2]:
            continue
        group = found[2].lower()
        key = found[1].partition("[")[2].rstrip("]")
        if key not in ((trial_spec.get("metadata") or {}).get(group) or {}):
            message = f"the template's metadata.{group} have no {key}"
            yield Violation("K237", (*path, "reference"), message)
    if found := META.search(text):
        fix = "make it the reference of a trialParameter, and write that one's placeholder here"
        yield Violation("K243", TRIAL_SPEC, f"{found[0]} occurs in the template itself", fix)


def _check_quoting(document: Document) -> Iterator[Violation]:
    for path, _ in list_items(document, *PARAMETERS):
        for index, value in enumerate(document.get_list(*path, "feasibleSpace", "list")):
            if json.dumps(str(value), ensure_ascii=False) != f'"{value}"':
                message = f"{value!r} needs quoting inside JSON"
                yield Violation("K238", (*path, "feasibleSpace", "list", index), message)


def _check_kind(document: Document, trial_spec: JsonObject) -> Iterator[Violation]:
    kind = f"{trial_spec.get('apiVersion')} {trial_spec.get('kind')}"
    if not trial_spec.get("apiVersion") or not trial_spec.get("kind"):
        yield Violation("K179", TRIAL_SPEC, "apiVersion and kind are needed")
    elif kind != "batch/v1 Job":
        wrong = list(check_training_job(trial_spec, TRIAL_SPEC))
        yield from wrong
        if all(violation.severity != "error" for violation in wrong):
            yield from _check_other_kind(document, trial_spec)
    else:
        yield from check_job(trial_spec, TRIAL_SPEC)
        yield from _check_job_spec(document)
        yield from _check_restart_policy(document)
        yield from _check_containers(document)
        yield from _check_pod_labels(document)
        yield from _check_local_pod(document)
    yield from _check_version(trial_spec)
    for name in {"name", "namespace"} & set(trial_spec.get("metadata") or {}):
        path = (*TRIAL_SPEC, "metadata", name)
        message = "must not be set: Katib names the Trial"
        yield Violation("K180", path, message, "leave it out", Edit(path, "", "remove"))


def _check_version(trial_spec: JsonObject) -> Iterator[Violation]:
    """Check the version of a kind that has one alone; other groups may have kinds of that name."""
    right = VERSIONS.get(str(trial_spec.get("kind")), "")
    written = str(trial_spec.get("apiVersion"))
    group = right.partition("/")[0]
    if right and written != right and written.partition("/")[0] in {group, "v1"}:
        path = (*TRIAL_SPEC, "apiVersion")
        message = f"{written} has no {trial_spec['kind']}"
        yield Violation("K273", path, message, f"write {right}", Edit(path, right))


def _check_other_kind(document: Document, trial_spec: JsonObject) -> Iterator[Violation]:
    """Check what becomes of another kind than Job on one machine."""
    if obstacle := find_obstacle(trial_spec):
        fix = "a Job is run locally, and a job of Kubeflow's that is one process"
        yield Violation("K305", (*TRIAL_SPEC, "kind"), obstacle, fix)
        return
    template = {**document.value["spec"]["trialTemplate"], "trialSpec": local_job(trial_spec)}
    spec = {**document.value["spec"], "trialTemplate": template}
    local = replace(document, value={**document.value, "spec": spec})
    for found in (*_check_containers(local), *_check_local_pod(local)):
        # The path is the Job's; the document has none like it.
        yield Violation(found.code, (*TRIAL_SPEC, "spec"), found.message, found.fix)


def _check_job_spec(document: Document) -> Iterator[Violation]:
    limit = document.get(*JOB_SPEC, "backoffLimit")
    if limit is None:
        message = (
            "not set: a failing trial is tried 7 times in 10 minutes before it counts as failed"
        )
        fix = "add backoffLimit: 0, or 1 where trials last only seconds"
        yield Violation("K240", JOB_SPEC, message, fix)
    elif isinstance(limit, int) and limit < 0:
        yield Violation("K182", (*JOB_SPEC, "backoffLimit"), "must be an integer from 0")
    if document.get(*JOB_SPEC, "suspend") is True:
        message = "a suspended Job is never started"
        yield Violation("K246", (*JOB_SPEC, "suspend"), message, "leave it out")
    for name in ("parallelism", "completions"):
        value = document.get(*JOB_SPEC, name)
        if isinstance(value, int) and value > 1:
            message = f"is {value}: one pod of a trial is run locally"
            yield Violation("K311", (*JOB_SPEC, name), message)


def _check_restart_policy(document: Document) -> Iterator[Violation]:
    path = (*POD_SPEC, "restartPolicy")
    policy = document.get(*path)
    if policy in {"Never", "OnFailure"}:
        return
    edit = Edit(path, "Never")
    if policy is None:
        edit = Edit(POD_SPEC, "restartPolicy: Never", "before")
    yield Violation("K183", path, "must be Never or OnFailure in a Job", "write Never", edit)


def _check_pod_labels(document: Document) -> Iterator[Violation]:
    path = (*TEMPLATE, "primaryPodLabels")
    wanted = document.get(*path, default={})
    labels = document.get(*JOB_SPEC, "template", "metadata", "labels", default={})
    if isinstance(wanted, dict) and any(labels.get(key) != wanted[key] for key in wanted):
        message = "the template's pods do not carry these labels: none of them is the primary one"
        yield Violation("K236", path, message, "leave them out: a Job has one kind of pod")


def _check_containers(document: Document) -> Iterator[Violation]:
    containers = list_items(document, *POD_SPEC, "containers")
    if not containers:
        yield Violation("K184", (*POD_SPEC, "containers"), "is missing or empty")
        return
    names = [str(container.get("name")) for _, container in containers]
    primary = document.get(*TEMPLATE, "primaryContainerName")
    if primary and primary not in names:
        yield _unknown_primary(str(primary), names)
    volumes = {volume.get("name") for _, volume in list_items(document, *POD_SPEC, "volumes")}
    for index, (path, container) in enumerate(containers):
        if not container.get("image"):
            yield Violation("K235", path, "image is missing")
        if names[index] in names[:index]:
            yield Violation("K239", (*path, "name"), f"{names[index]} occurs twice")
        for mount_path, mount in list_items(document, *path, "volumeMounts"):
            if mount.get("name") not in volumes:
                message = f"there is no volume {mount.get('name')}"
                yield Violation("K234", mount_path, message, "add it to volumes")
        if container.get("name") == primary:
            yield from _check_local_container(document, path)


def _unknown_primary(primary: str, names: list[str]) -> Violation:
    path = (*TEMPLATE, "primaryContainerName")
    message = (
        f"{primary} is none of the containers ({', '.join(names)}): "
        "every pod is refused, Trials stay Running for ever"
    )
    if len(names) > 1:
        return Violation("K231", path, message)
    return Violation("K231", path, message, f"write {names[0]}", Edit(path, names[0]))


def _check_local_container(document: Document, path: FieldPath) -> Iterator[Violation]:
    if not document.get(*path, "command"):
        message = "has no command, and images are not read locally"
        yield Violation("K310", path, message, "write the image's command")
    if document.get(*path, "envFrom"):
        fix = "write the variables into env"
        yield Violation("K306", (*path, "envFrom"), "is not read locally", fix)
    for at, variable in list_items(document, *path, "env"):
        field = document.get(*at, "valueFrom", "fieldRef", "fieldPath")
        if variable.get("valueFrom") is not None and not FIELD.fullmatch(str(field)):
            message = "only value and fieldRef of metadata are read locally"
            yield Violation("K306", at, message)


def _check_local_pod(document: Document) -> Iterator[Violation]:
    if document.get(*POD_SPEC, "initContainers"):
        yield Violation("K307", (*POD_SPEC, "initContainers"), "are not run locally")
    if len(list_items(document, *POD_SPEC, "containers")) > 1:
        message = "only the primary container is run locally"
        yield Violation("K308", (*POD_SPEC, "containers"), message)
    for path, volume in list_items(document, *POD_SPEC, "volumes"):
        if other := set(volume) - {"name", *LOCAL_VOLUMES}:
            message = f"{', '.join(sorted(other))} is not mounted locally"
            yield Violation("K309", path, message, f"use {', '.join(LOCAL_VOLUMES)}")
