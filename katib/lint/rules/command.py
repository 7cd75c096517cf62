"""Rules about the primary container's command, and what Katib makes of it.

Source: Katib v0.19, pkg/webhook/v1beta1/pod. For StdOut, File and TensorFlowEvent it joins command and args with single
spaces, without quoting, and hands the text to `sh -c`; over the folder of the metrics file it mounts an empty volume.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.problem import Edit, Problem, items
from katib.lint.rules.trial_template import PLACEHOLDER, POD_SPEC, TEMPLATE, TRIAL_SPEC

WRAPPED = ("StdOut", "File", "TensorFlowEvent")
DEFAULT_PATHS = {
    "StdOut": "/var/log/katib/metrics.log",
    "File": "/var/log/katib/metrics.log",
    "TensorFlowEvent": "/var/log/katib/tfevent/",
}
HARMLESS = re.compile(
    rf"{PLACEHOLDER.pattern}|\$\([A-Za-z_][\w.-]*\)"
)  # replaced before a shell sees them
SHELL_CHARACTERS = re.compile(r"""[\s"'\\*?;&|<>()#~`\[\]{}!$]""")
SHELLS = ("sh", "bash")
STRICT_IMAGE = re.compile(
    r"(?!localhost[:/])[^/]*[.:][^/]*/.+(:[\w.-]+|@sha256:[0-9a-f]{64})"
)  # registry and tag
PRINTS_ELSEWHERE = re.compile(r"(?<![0-9&>])1?>{1,2}(?!&)\s*(?!/dev/std)\S")


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of the primary container's command."""
    kind = document.get("spec", "metricsCollectorSpec", "collector", "kind", default="StdOut")
    job = document.get(*TRIAL_SPEC)
    if (
        kind not in WRAPPED
        or not isinstance(job, dict)
        or (job.get("apiVersion"), job.get("kind")) != ("batch/v1", "Job")
    ):
        return
    primary = document.get(*TEMPLATE, "primaryContainerName")
    if len(items(document, *POD_SPEC, "containers")) > 1:
        fix = "let the others end by themselves, or use the collector Push"
        yield Problem(
            "K247",
            (*POD_SPEC, "containers"),
            "the metrics collector waits for all of them to end",
            fix,
        )
    for at, container in items(document, *POD_SPEC, "containers"):
        if container.get("name") == primary:
            words = [
                str(word)
                for name in ("command", "args")
                for word in document.get(*at, name, default=[])
            ]
            yield from (
                _command(at, words, kind) if container.get("command") else _image(at, container)
            )
            yield from _folder(document, at, words, kind)


def _image(at: FieldPath, container: dict[str, Any]) -> Iterator[Problem]:
    image = str(container.get("image"))
    if STRICT_IMAGE.fullmatch(image):
        message = f"is missing: Katib asks the registry of {image} for it at every pod's start"
        yield Problem("K244", (*at, "command"), message, "write the image's command")
    else:
        message = "is missing: Katib looks the image up in its registry, and a local image stays Running for ever"
        yield Problem("K232", (*at, "command"), message, "write the image's command")


def _command(at: FieldPath, words: list[str], kind: str) -> Iterator[Problem]:
    path = (*at, "command")
    if words[0] in SHELLS and words[1:2] == ["-c"]:
        yield from _script(path, " ".join(words[2:])) if kind == "StdOut" else ()
    elif words[0].rpartition("/")[2] in SHELLS and _has_script(words[1:]):
        message = "only `sh -c` and `bash -c` are recognised: this one is wrapped again and runs its first word alone"
        shell = words[0].rpartition("/")[2]
        edit = Edit((*path, 0), shell) if words[1:2] == ["-c"] else None
        yield Problem("K233", path, message, f'begin with "{shell}", "-c"', edit)
    elif odd := [word for word in words if SHELL_CHARACTERS.search(HARMLESS.sub("x", word))]:
        message = f"Katib joins the command without quoting, so the shell reads {odd[0]!r} anew; here it is passed as it is"
        yield Problem("K242", path, message)


def _script(path: FieldPath, script: str) -> Iterator[Problem]:
    """Look at what `sh -c` runs: Katib's redirection stands behind all of it."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "x", script)
    without_redirections = re.sub(r"[0-9]?>{1,2}&[0-9]|&>{1,2}", ">", bare)
    if re.search(r"[;&|\n]", without_redirections.strip()):
        message = "only the last command's output is collected"
        yield Problem("K241", path, message, "let one program print the metrics last")
    if PRINTS_ELSEWHERE.search(bare):
        yield Problem(
            "K245",
            path,
            "the output goes to a file of its own, not to Katib's",
            "print, or use File",
        )


def _has_script(arguments: list[str]) -> bool:
    """Whether a shell's arguments are not a file to run: `-c` in any spelling, or nothing at all."""
    options = itertools.takewhile(lambda word: word.startswith("-"), arguments)
    return not arguments or any("c" in option for option in options if not option.startswith("--"))


def _folder(document: Document, at: FieldPath, words: list[str], kind: str) -> Iterator[Problem]:
    given = document.get("spec", "metricsCollectorSpec", "source", "fileSystemPath", "path")
    metrics = PurePosixPath(str(given) if given and kind != "StdOut" else DEFAULT_PATHS[kind])
    folder = metrics if kind == "TensorFlowEvent" else metrics.parent
    path = ("spec", "metricsCollectorSpec", "source", "fileSystemPath", "path")
    for mounted, mount in items(document, *at, "volumeMounts"):
        if PurePosixPath(str(mount.get("mountPath"))) == folder:
            yield Problem(
                "K218",
                mounted,
                f"Katib mounts its own volume at {folder}",
                "mount it, or write, elsewhere",
            )
    hidden = [word for word in words if _below(word, folder) and not _below(word, metrics)]
    if folder == PurePosixPath("/") or hidden:
        what = hidden[0] if hidden else "the whole image"
        fix = "write the metrics into a folder of their own"
        yield Problem(
            "K217", path, f"the empty volume that Katib mounts over {folder} hides {what}", fix
        )


def _below(word: str, folder: PurePosixPath) -> bool:
    return word.startswith("/") and folder in {PurePosixPath(word), *PurePosixPath(word).parents}
