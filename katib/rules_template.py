"""Rules about the trial template: the Job, its container's command, and the placeholders.

Sources as in `katib.rules_spec`, and pkg/webhook/v1beta1/pod for what becomes of the command: Katib joins command and
args with single spaces, without quoting, and hands the text to `sh -c`.
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.jobfields import CONTAINER, INTEGERS, JOB, LOCAL_VOLUMES, POD, POD_TEMPLATE
from katib.rules import Problem, items, unknown_fields, warning

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
META = re.compile(r"\$\{trialSpec\.(Name|Namespace|Kind|APIVersion|(Labels|Annotations)\[[^\]]+\])\}")
FIELD = re.compile(r"metadata\.(?:name|namespace|(labels|annotations)\['([^']+)'\])")
HARMLESS = re.compile(rf"{PLACEHOLDER.pattern}|\$\([A-Za-z_][\w.-]*\)")  # replaced before a shell sees them
SHELL_CHARACTERS = re.compile(r"""[\s"'\\*?;&|<>()#~`\[\]{}!$]""")
SHELLS = ("sh", "bash")


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
        yield from _parameters(document, json.dumps(trial_spec))
        yield from _kind(document, trial_spec)


def _source(document: Document) -> Iterator[Problem]:
    inline, referenced = document.get(*TRIAL_SPEC), document.get(*TEMPLATE, "configMap")
    if bool(inline) == bool(referenced):
        yield Problem("K173", TEMPLATE, "exactly one of trialSpec and configMap is needed")
    elif referenced:
        yield Problem("K304", (*TEMPLATE, "configMap"), "is not read locally", "put the Job into trialSpec")


def _parameters(document: Document, text: str) -> Iterator[Problem]:
    searched = {str(entry.get("name")) for _, entry in items(document, "spec", "parameters")}
    names: list[str] = []
    references: list[str] = []
    for at, entry in items(document, *TEMPLATE, "trialParameters"):
        name, reference = str(entry.get("name") or ""), str(entry.get("reference") or "")
        if not name or not reference or set("{}") & set(name):
            yield Problem("K174", at, "needs a name and a reference, without braces in the name")
        if name in names or reference in references:
            yield Problem("K175", at, "name or reference is there twice")
        if f"${{trialParameters.{name}}}" not in text:
            yield Problem("K176", at, f"${{trialParameters.{name}}} does not stand in trialSpec")
        if reference not in searched and not META.fullmatch(reference):
            yield Problem("K177", (*at, "reference"), f"{reference} is not in spec.parameters")
        names.append(name)
        references.append(reference)
    for name in sorted(set(PLACEHOLDER.findall(text)) - set(names)):
        yield Problem("K178", TRIAL_SPEC, f"${{trialParameters.{name}}} is not in trialParameters")
    for name in sorted(searched - set(references)):
        message = f"no trialParameter refers to {name}: no Trial can be built, the Experiment stays Running for ever"
        yield Problem("K230", (*TEMPLATE, "trialParameters"), message, "add one, or drop the parameter")


def _kind(document: Document, trial_spec: dict[str, Any]) -> Iterator[Problem]:
    kind = f"{trial_spec.get('apiVersion')} {trial_spec.get('kind')}"
    if not trial_spec.get("apiVersion") or not trial_spec.get("kind"):
        yield Problem("K179", TRIAL_SPEC, "apiVersion and kind are needed")
    elif kind != "batch/v1 Job":
        yield Problem("K305", (*TRIAL_SPEC, "kind"), f"{kind} is not run locally", "only batch/v1 Job is")
    else:
        yield from _job(document)
    for name in {"name", "namespace"} & set(trial_spec.get("metadata") or {}):
        yield Problem("K180", (*TRIAL_SPEC, "metadata", name), "must not be set: Katib names the Trial")


def _job(document: Document) -> Iterator[Problem]:
    template: FieldPath = (*TRIAL_SPEC, "spec", "template")
    for path, known in (((*TRIAL_SPEC, "spec"), JOB), (template, POD_TEMPLATE), (POD_SPEC, POD)):
        yield from unknown_fields(document, path, known, "K181")
    for path in ((*TRIAL_SPEC, "spec", name) for name in INTEGERS):
        value = document.get(*path)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            yield Problem("K182", path, f"must be an integer from 0, is {value!r}", "a placeholder cannot stand here")
    if document.get(*TRIAL_SPEC, "spec", "backoffLimit") is None:
        message = "not set: a failing trial is tried 7 times, about 10 minutes, before it counts as failed"
        yield warning("K240", (*TRIAL_SPEC, "spec"), message, "add backoffLimit: 0")
    if document.get(*POD_SPEC, "restartPolicy") not in {"Never", "OnFailure"}:
        yield Problem("K183", (*POD_SPEC, "restartPolicy"), "must be Never or OnFailure in a Job")
    yield from _containers(document)
    yield from _pod_locally(document)


def _containers(document: Document) -> Iterator[Problem]:
    containers = items(document, *POD_SPEC, "containers")
    if not containers:
        yield Problem("K184", (*POD_SPEC, "containers"), "is missing or empty")
        return
    primary = document.get(*TEMPLATE, "primaryContainerName")
    names = [str(container.get("name")) for _, container in containers]
    if primary and primary not in names:
        message = f"{primary} is none of the containers ({', '.join(names)}): every pod is refused, Trials run for ever"
        yield Problem("K231", (*TEMPLATE, "primaryContainerName"), message)
    for at, container in containers:
        yield from unknown_fields(document, at, CONTAINER, "K181")
        if container.get("name") == primary:
            yield from _command(at, container)
            yield from _container_locally(at, container)


def _command(at: FieldPath, container: dict[str, Any]) -> Iterator[Problem]:
    command = container.get("command")
    if not command:
        message = "is missing: Katib looks the image up in its registry, and a local image stays Running for ever"
        yield Problem("K232", (*at, "command"), message, "write the image's command")
        return
    words = [*map(str, command), *map(str, container.get("args") or [])]
    if words[0] in SHELLS and words[1:2] == ["-c"]:
        if re.search(r"[;&|\n]", " ".join(words[2:])):
            message = "only the last command's output is collected"
            yield warning("K241", (*at, "command"), message, "let one program print the metrics last")
    elif words[0].rpartition("/")[2] in SHELLS and _has_script(words[1:]):
        message = "only `sh -c` and `bash -c` are recognised: this one is wrapped again and runs its first word alone"
        yield Problem("K233", (*at, "command"), message, 'begin with "sh", "-c"')
    elif odd := [word for word in words if SHELL_CHARACTERS.search(HARMLESS.sub("x", word))]:
        message = (
            f"Katib joins the command without quoting, so the shell reads {odd[0]!r} anew; here it is passed as it is"
        )
        yield warning("K242", (*at, "command"), message)


def _has_script(arguments: list[str]) -> bool:
    """Whether a shell's arguments are not a file to run: `-c` in any spelling, or nothing at all."""
    options = itertools.takewhile(lambda word: word.startswith("-"), arguments)
    return not arguments or any("c" in option for option in options if not option.startswith("--"))


def _container_locally(at: FieldPath, container: dict[str, Any]) -> Iterator[Problem]:
    if container.get("envFrom"):
        yield Problem("K306", (*at, "envFrom"), "is not read locally", "write the variables into env")
    for index, variable in enumerate(container.get("env") or []):
        source = variable.get("valueFrom")
        if source is not None and not FIELD.fullmatch(str((source.get("fieldRef") or {}).get("fieldPath"))):
            yield Problem("K306", (*at, "env", index), "only value and fieldRef of metadata are read locally")


def _pod_locally(document: Document) -> Iterator[Problem]:
    for name in ("initContainers",):
        if document.get(*POD_SPEC, name):
            yield Problem("K307", (*POD_SPEC, name), "are not run locally")
    if len(items(document, *POD_SPEC, "containers")) > 1:
        yield warning("K308", (*POD_SPEC, "containers"), "only the primary container is run locally")
    for at, volume in items(document, *POD_SPEC, "volumes"):
        if other := set(volume) - {"name", *LOCAL_VOLUMES}:
            yield Problem(
                "K309", at, f"{', '.join(sorted(other))} is not mounted locally", f"use {', '.join(LOCAL_VOLUMES)}"
            )
