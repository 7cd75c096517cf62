"""Rules about the trial template: the Job and the placeholders. Sources as in `katib.lint.rules.experiment`."""

import json
import re
from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.job_schema import LOCAL_VOLUMES, check_job
from katib.lint.problem import Edit, Problem, items, unknown_fields

TEMPLATE: FieldPath = ("spec", "trialTemplate")
TRIAL_SPEC: FieldPath = (*TEMPLATE, "trialSpec")
POD_SPEC: FieldPath = (*TRIAL_SPEC, "spec", "template", "spec")
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
CONFIG_MAP = ("configMapName", "configMapNamespace", "templatePath")
ALONE = 2  # copies of a pod from which on one machine does something else


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of the trial template."""
    if not isinstance(document.get(*TEMPLATE), dict):
        if isinstance(document.get("spec"), dict):
            yield Problem("K170", TEMPLATE, "is missing")
        return
    yield from unknown_fields(document, TEMPLATE, TEMPLATE_FIELDS, "K201")
    if not document.get(*TEMPLATE, "primaryContainerName"):
        yield Problem("K171", (*TEMPLATE, "primaryContainerName"), "is missing")
    if not document.get(*TEMPLATE, "trialParameters"):
        yield Problem("K172", (*TEMPLATE, "trialParameters"), "is missing or empty")
    yield from _source(document)
    trial_spec = document.get(*TRIAL_SPEC)
    if isinstance(trial_spec, dict):
        yield from _parameters(document, json.dumps(trial_spec, ensure_ascii=False))
        yield from _references(document, trial_spec)
        yield from _kind(document, trial_spec)


def _source(document: Document) -> Iterator[Problem]:
    inline = document.get(*TRIAL_SPEC)
    referenced = document.get(*TEMPLATE, "configMap")
    if bool(inline) == bool(referenced):
        yield Problem("K173", TEMPLATE, "exactly one of trialSpec and configMap is needed")
    if referenced:
        yield Problem(
            "K304", (*TEMPLATE, "configMap"), "is not read locally", "put the Job into trialSpec"
        )
        for name in CONFIG_MAP:
            if not document.get(*TEMPLATE, "configMap", name):
                yield Problem("K187", (*TEMPLATE, "configMap"), f"{name} is missing")
    kind = document.get(*TRIAL_SPEC, "kind")
    if kind not in WITH_CONDITIONS and (referenced or kind):
        for name in ("successCondition", "failureCondition"):
            if not document.get(*TEMPLATE, name):
                yield Problem(
                    "K185",
                    TEMPLATE,
                    f"{name} is missing; Katib knows it only for {', '.join(WITH_CONDITIONS)}",
                )


def _parameters(document: Document, text: str) -> Iterator[Problem]:
    searched = {str(entry.get("name")) for _, entry in items(document, "spec", "parameters")}
    names: list[str] = []
    references: list[str] = []
    for at, entry in items(document, *TEMPLATE, "trialParameters"):
        name = str(entry.get("name") or "")
        reference = str(entry.get("reference") or "")
        if not name or not reference or set("{}") & set(name):
            yield Problem("K174", at, "needs a name and a reference, without braces in the name")
        if name in names or reference in references:
            yield Problem("K175", at, "name or reference is there twice")
        if f"${{trialParameters.{name}}}" not in text:
            yield Problem("K176", at, f"${{trialParameters.{name}}} does not stand in trialSpec")
        if searched and reference not in searched and not META.fullmatch(reference):
            yield Problem("K177", (*at, "reference"), f"{reference} is not in spec.parameters")
        names.append(name)
        references.append(reference)
    for name in sorted(set(PLACEHOLDER.findall(text)) - set(names)):
        yield Problem("K178", TRIAL_SPEC, f"${{trialParameters.{name}}} is not in trialParameters")
    for name in sorted(searched - set(references)):
        message = f"no trialParameter refers to {name}: no Trial can be built, the Experiment stays Running for ever"
        yield Problem(
            "K230", (*TEMPLATE, "trialParameters"), message, "add one, or drop the parameter"
        )


def _references(document: Document, trial_spec: dict[str, Any]) -> Iterator[Problem]:
    for at, entry in items(document, *TEMPLATE, "trialParameters"):
        found = META.fullmatch(str(entry.get("reference")))
        if found and found[2]:
            group = found[2].lower()
            key = found[1].partition("[")[2].rstrip("]")
            if key not in ((trial_spec.get("metadata") or {}).get(group) or {}):
                yield Problem(
                    "K237", (*at, "reference"), f"the template's metadata.{group} have no {key}"
                )
    if found := META.search(json.dumps(trial_spec, ensure_ascii=False)):
        fix = "make it the reference of a trialParameter, and write that one's placeholder here"
        yield Problem("K243", TRIAL_SPEC, f"{found[0]} stands in the template itself", fix)
    for at, _ in items(document, "spec", "parameters"):
        values = document.get(*at, "feasibleSpace", "list", default=[])
        for index, value in enumerate(values if isinstance(values, list) else []):
            if json.dumps(str(value), ensure_ascii=False)[1:-1] != str(value):
                yield Problem(
                    "K238",
                    (*at, "feasibleSpace", "list", index),
                    f"{value!r} needs quoting inside JSON",
                )


def _kind(document: Document, trial_spec: dict[str, Any]) -> Iterator[Problem]:
    kind = f"{trial_spec.get('apiVersion')} {trial_spec.get('kind')}"
    if not trial_spec.get("apiVersion") or not trial_spec.get("kind"):
        yield Problem("K179", TRIAL_SPEC, "apiVersion and kind are needed")
    elif kind != "batch/v1 Job":
        yield Problem(
            "K305", (*TRIAL_SPEC, "kind"), f"{kind} is not run locally", "only batch/v1 Job is"
        )
    else:
        yield from _job(document)
    for name in {"name", "namespace"} & set(trial_spec.get("metadata") or {}):
        at = (*TRIAL_SPEC, "metadata", name)
        yield Problem(
            "K180",
            at,
            "must not be set: Katib names the Trial",
            "leave it out",
            Edit(at, "", "remove"),
        )


def _job(document: Document) -> Iterator[Problem]:
    yield from check_job(document.get(*TRIAL_SPEC), TRIAL_SPEC)
    job: FieldPath = (*TRIAL_SPEC, "spec")
    if document.get(*job, "backoffLimit") is None:
        message = "not set: a failing trial is tried 7 times, about 10 minutes, before it counts as failed"
        yield Problem(
            "K240", job, message, "add backoffLimit: 0, or 1 where trials last only seconds"
        )
    elif _below_zero(document.get(*job, "backoffLimit")):
        yield Problem("K182", (*job, "backoffLimit"), "must be an integer from 0")
    if document.get(*job, "suspend") is True:
        yield Problem("K246", (*job, "suspend"), "a suspended Job is never started", "leave it out")
    for name in ("parallelism", "completions"):
        value = document.get(*job, name)
        if isinstance(value, int) and value >= ALONE:
            yield Problem("K311", (*job, name), f"is {value}: one pod of a trial is run locally")
    yield from _restart_policy(document)
    yield from _containers(document)
    yield from _labels(document)
    yield from _pod_locally(document)


def _below_zero(value: object) -> bool:
    return isinstance(value, int) and value < 0


def _restart_policy(document: Document) -> Iterator[Problem]:
    policy = document.get(*POD_SPEC, "restartPolicy")
    if policy in {"Never", "OnFailure"}:
        return
    at = (*POD_SPEC, "restartPolicy")
    if policy is None:
        edit = Edit(POD_SPEC, "restartPolicy: Never", "before")
    else:
        edit = Edit(at, "Never")
    yield Problem("K183", at, "must be Never or OnFailure in a Job", "write Never", edit)


def _labels(document: Document) -> Iterator[Problem]:
    wanted = document.get(*TEMPLATE, "primaryPodLabels", default={})
    there = document.get(*TRIAL_SPEC, "spec", "template", "metadata", "labels", default={})
    if isinstance(wanted, dict) and any(there.get(key) != value for key, value in wanted.items()):
        message = "the template's pods do not carry these labels: none of them is the primary one"
        yield Problem(
            "K236",
            (*TEMPLATE, "primaryPodLabels"),
            message,
            "leave them out: a Job has one kind of pod",
        )


def _containers(document: Document) -> Iterator[Problem]:
    containers = items(document, *POD_SPEC, "containers")
    if not containers:
        yield Problem("K184", (*POD_SPEC, "containers"), "is missing or empty")
        return
    primary = document.get(*TEMPLATE, "primaryContainerName")
    names = [str(container.get("name")) for _, container in containers]
    if primary and primary not in names:
        message = f"{primary} is none of the containers ({', '.join(names)}): every pod is refused, Trials run for ever"
        at = (*TEMPLATE, "primaryContainerName")
        sole = len(names) == 1
        yield Problem(
            "K231",
            at,
            message,
            f"write {names[0]}" if sole else "",
            Edit(at, names[0]) if sole else None,
        )
    volumes = {volume.get("name") for _, volume in items(document, *POD_SPEC, "volumes")}
    for index, (at, container) in enumerate(containers):
        if not container.get("image"):
            yield Problem("K235", at, "image is missing")
        if names[index] in names[:index]:
            yield Problem("K239", (*at, "name"), f"{names[index]} is there twice")
        for mounted, mount in items(document, *at, "volumeMounts"):
            if mount.get("name") not in volumes:
                yield Problem(
                    "K234", mounted, f"there is no volume {mount.get('name')}", "add it to volumes"
                )
        if container.get("name") == primary:
            yield from _container_locally(at, container)


def _container_locally(at: FieldPath, container: dict[str, Any]) -> Iterator[Problem]:
    if not container.get("command"):
        yield Problem(
            "K310",
            at,
            "has no command, and images are not read locally",
            "write the image's command",
        )
    if container.get("envFrom"):
        yield Problem(
            "K306", (*at, "envFrom"), "is not read locally", "write the variables into env"
        )
    for index, variable in enumerate(container.get("env") or []):
        source = variable.get("valueFrom")
        if source is not None and not FIELD.fullmatch(
            str((source.get("fieldRef") or {}).get("fieldPath"))
        ):
            yield Problem(
                "K306", (*at, "env", index), "only value and fieldRef of metadata are read locally"
            )


def _pod_locally(document: Document) -> Iterator[Problem]:
    for name in ("initContainers",):
        if document.get(*POD_SPEC, name):
            yield Problem("K307", (*POD_SPEC, name), "are not run locally")
    if len(items(document, *POD_SPEC, "containers")) > 1:
        yield Problem(
            "K308", (*POD_SPEC, "containers"), "only the primary container is run locally"
        )
    for at, volume in items(document, *POD_SPEC, "volumes"):
        if other := set(volume) - {"name", *LOCAL_VOLUMES}:
            yield Problem(
                "K309",
                at,
                f"{', '.join(sorted(other))} is not mounted locally",
                f"use {', '.join(LOCAL_VOLUMES)}",
            )
