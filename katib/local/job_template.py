"""From the trial template to a command on this machine: placeholders, `$(VAR)`, mounts, images.

The document is never changed for a local run. `PathMap`, filled from flags and from the annotations
`tunegate.dev/mounts` and `tunegate.dev/images`, says which folders stand for a container's paths,
and which interpreter stands for an image.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from katib.errors import EngineError
from katib.experiment import Experiment
from katib.lint.rules.trial_template import FIELD, META
from katib.local.shell_wrapping import needs_shell
from katib.metrics_collector import number
from katib.objects import EXPERIMENT_LABEL, JsonObject, JsonValue, KatibObject
from katib.one_process import local_job
from katib.worker_command import SHELLS

PYTHONS = frozenset({"python", "python3"})
VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
QUOTED = re.compile("['\"]")
DEFAULT_BACKOFF_LIMIT = 6
# In the trial's folder: volumes that Kubernetes would make for each start and delete after it.
SCRATCH = "volumes"
WORK = "work"  # in the trial's folder: the working directory of other kinds than Job
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class PathMap:
    """Which paths of this machine stand for a container's.

    Attributes:
        images: image -> interpreter that stands for its `python`; other images use this process's
            own.
        mounts: claim name, volume name or mount path -> folder.
        volumes: folder for volumes that `mounts` does not name.
    """

    volumes: Path
    images: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Launch:
    """A container's command as this machine runs it.

    Attributes:
        argv: program and arguments.
        needs_shell: whether a shell would make something else of the container's words. Decided
            before paths of this machine, which may have spaces, stand in them.
        env: variables to set on top of this process's own.
        cwd: working directory; the current one if it does not exist.
        folders: mounted folders; made before the command starts.
        deadline: seconds for the whole Job; None for no limit.
        attempts: how often the command is started before the trial counts as failed.
        grace: seconds between SIGTERM and SIGKILL.
        cpus: CPUs that the container asks for.
        metrics_file: the file that a File collector reads; None for others.
        pushes: whether the trial sends its metrics itself, so that nobody reads its output.
    """

    argv: tuple[str, ...]
    needs_shell: bool
    env: dict[str, str]
    cwd: Path | None
    folders: tuple[Path, ...]
    deadline: float | None
    attempts: int
    grace: float
    cpus: float
    metrics_file: Path | None
    pushes: bool = False


def render_job(experiment: Experiment, assignments: Mapping[str, str], trial: str) -> JsonObject:
    """Return the trial's object: the template with every `${trialParameters.<name>}` replaced."""
    template = experiment.spec["trialTemplate"]
    values = {}
    for parameter in template["trialParameters"]:
        reference = parameter["reference"]
        if reference in assignments:
            values[parameter["name"]] = assignments[reference]
        else:
            values[parameter["name"]] = _meta_value(reference, experiment, trial)
    job: JsonObject = _fill_placeholders(template["trialSpec"], values)
    job["metadata"] = {**job.get("metadata", {}), "name": trial, "namespace": experiment.namespace}
    return job


def pod_template(job: KatibObject) -> JsonObject:
    """Return the template of the pod that runs a trial's process."""
    template: JsonObject = local_job(job)["spec"]["template"]
    return template


def plan_launch(experiment: Experiment, job: JsonObject, paths: PathMap, folder: Path) -> Launch:
    """Translate the primary container of a rendered Job.

    Args:
        experiment: for the primary container's name and the collector.
        job: what `render_job` made.
        paths: the folders and interpreters of this machine.
        folder: the trial's own folder; its volumes of kind emptyDir and its metrics file go there.

    Raises:
        EngineError: when the container reads something that does not exist here.
    """
    is_job = job["kind"] == "Job"
    job = local_job(job)
    pod = pod_template(job)["spec"]
    name = experiment.spec["trialTemplate"]["primaryContainerName"]
    container = next(c for c in pod["containers"] if c["name"] == name)
    roots = _mount_folders(pod, container, paths, folder)
    folders = tuple(roots.values())
    metrics = _metrics_path(experiment)
    if metrics:
        roots[str(Path(metrics).parent)] = folder / "metrics"
    env = _environment(container, job, experiment)
    words = [
        _expand_variables(word, env) for word in [*container["command"], *container.get("args", [])]
    ]
    shell = not experiment.pushes and needs_shell(words)
    argv = _relocate_words(words, roots, quoted=shell)
    if argv[0] in PYTHONS:
        argv[0] = paths.images.get(container.get("image", ""), sys.executable)
    cwd = None
    if container.get("workingDir"):
        cwd = Path(_relocate_paths(container["workingDir"], roots))
    elif not is_job:  # Kubeflow's SDK writes its script into the image's folder
        cwd = folder / WORK
        folders = (*folders, cwd)
    deadlines = [job["spec"].get("activeDeadlineSeconds"), pod.get("activeDeadlineSeconds")]
    return Launch(
        argv=tuple(argv),
        needs_shell=shell,
        env={key: _relocate_paths(value, roots) for key, value in env.items()}
        | _thread_limits(container, env),
        cwd=cwd,
        folders=folders,
        deadline=min(filter(None, deadlines), default=None),
        attempts=1 + int(job["spec"].get("backoffLimit", DEFAULT_BACKOFF_LIMIT)),
        grace=float(pod.get("terminationGracePeriodSeconds", 30)),
        cpus=requested_cpus(container),
        metrics_file=Path(_relocate_paths(metrics, roots)) if metrics else None,
        pushes=experiment.pushes,
    )


def requested_cpus(container: KatibObject) -> float:
    """Return the CPUs that a container requests, or is limited to; 1 if it names no number."""
    resources = container.get("resources", {})
    quantity = str(
        resources.get("requests", {}).get("cpu") or resources.get("limits", {}).get("cpu") or 1
    )
    cpus = number(quantity.removesuffix("m"))
    if cpus is None:
        return 1.0
    if quantity.endswith("m"):
        return cpus / 1000
    return cpus


def primary_container(experiment: Experiment) -> JsonObject:
    """Return the template's primary container, placeholders and all."""
    template = experiment.spec["trialTemplate"]
    containers = pod_template(template["trialSpec"])["spec"]["containers"]
    return next(c for c in containers if c["name"] == template["primaryContainerName"])


def _fill_placeholders(value: JsonValue, values: Mapping[str, str]) -> JsonValue:
    if isinstance(value, dict):
        return {key: _fill_placeholders(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_placeholders(item, values) for item in value]
    if isinstance(value, str):
        for name, text in values.items():
            value = value.replace(f"${{trialParameters.{name}}}", text)
    return value


def _meta_value(reference: str, experiment: Experiment, trial: str) -> str:
    match = META.fullmatch(reference)
    key = match.group(1) if match else ""
    spec = experiment.spec["trialTemplate"]["trialSpec"]
    plain = {
        "Name": trial,
        "Namespace": experiment.namespace,
        "Kind": spec["kind"],
        "APIVersion": spec["apiVersion"],
    }
    if key in plain:
        return str(plain[key])
    group, _, name = key.rstrip("]").partition("[")
    try:
        return str(spec["metadata"][group.lower()][name])
    except KeyError as error:
        raise EngineError(
            f"{reference}: the trial template has no such {group.lower()[:-1]}"
        ) from error


def _mount_folders(
    pod: JsonObject, container: JsonObject, paths: PathMap, folder: Path
) -> dict[str, Path]:
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    roots = {}
    for mount in container.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        claim = volume.get("persistentVolumeClaim", {}).get("claimName", mount["name"])
        own = folder / SCRATCH if "emptyDir" in volume else paths.volumes
        path = mount["mountPath"].rstrip("/")
        names = (path, claim, mount["name"])
        root = next((paths.mounts[name] for name in names if name in paths.mounts), own / claim)
        roots[path] = (root / mount.get("subPath", "")).resolve()
    return roots


def _metrics_path(experiment: Experiment) -> str:
    collector = experiment.spec["metricsCollectorSpec"]
    if collector["collector"]["kind"] != "File":
        return ""
    return str(collector["source"]["fileSystemPath"]["path"])


def _environment(container: JsonObject, job: JsonObject, experiment: Experiment) -> dict[str, str]:
    trial = job["metadata"]["name"]
    env = {"KATIB_TRIAL_NAME": trial}
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            env[variable["name"]] = _field_value(
                variable["valueFrom"]["fieldRef"]["fieldPath"], job, experiment
            )
        else:
            env[variable["name"]] = _expand_variables(str(variable.get("value", "")), env)
    return env


def _field_value(path: str, job: JsonObject, experiment: Experiment) -> str:
    metadata = pod_template(job).get("metadata", {})
    labels = {
        "katib.kubeflow.org/trial": job["metadata"]["name"],
        EXPERIMENT_LABEL: experiment.name,
        **metadata.get("labels", {}),
    }
    match = FIELD.fullmatch(path)
    if match is None:
        raise EngineError(
            f"fieldPath {path} does not exist on this machine",
            hint="only metadata is known locally",
        )
    group, key = match.groups()
    if group is None:
        return str(job["metadata"][path.removeprefix("metadata.")])
    if group == "labels":
        return str(labels.get(key, ""))
    return str(metadata.get("annotations", {}).get(key, ""))


def _expand_variables(text: str, env: Mapping[str, str]) -> str:
    """Expand `$(VAR)` as the kubelet does: unknown variables stay, `$$` becomes `$`."""
    return VARIABLE.sub(
        lambda m: "$" if m.group(0) == "$$" else env.get(m.group(1), m.group(0)), text
    )


def _relocate_words(words: Sequence[str], roots: Mapping[str, Path], *, quoted: bool) -> list[str]:
    """Replace mount paths in a command's words.

    Where a shell reads the joined words, folders are quoted for it, as their names may have spaces.
    What stands in quotes, and a script, keeps its own.
    """
    if not quoted or words[0] in SHELLS:
        return [_relocate_paths(word, roots) for word in words]
    program = _relocate_paths(words[0], roots)
    folders = {path: Path(shlex.quote(str(folder))) for path, folder in roots.items()}
    return [
        program,
        *(_relocate_paths(word, roots if QUOTED.search(word) else folders) for word in words[1:]),
    ]


def _relocate_paths(text: str, roots: Mapping[str, Path]) -> str:
    """Replace mount paths that are whole, or followed by a slash; the longest one that fits."""
    if not roots:
        return text
    # In one pass: the folder for one mount may itself be below another mount's path, such as /tmp.
    paths = "|".join(re.escape(path) for path in sorted(roots, key=len, reverse=True))
    return re.sub(
        rf"(?<![\w./-])(?:{paths})(?![\w.-])", lambda found: str(roots[found.group()]), text
    )


def _thread_limits(container: JsonObject, env: Mapping[str, str]) -> dict[str, str]:
    """Return variables that limit numeric libraries to the CPUs that the container requests."""
    threads = str(max(1, int(requested_cpus(container))))
    return {
        name: threads for name in THREAD_VARIABLES if name not in env and name not in os.environ
    }
