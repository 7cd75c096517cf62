"""Rules about the primary container's command, and about what Katib makes of it.

Source: Katib v0.19, pkg/webhook/v1beta1/pod. For StdOut, File and TensorFlowEvent it joins command
and args with single spaces, without quoting, and passes the text to `sh -c`. It mounts an empty
volume over the folder of the metrics file.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from katib.document import Document, FieldPath
from katib.lint.rules.collector import KIND, METRICS_FILE
from katib.lint.rules.trial_template import (
    PLACEHOLDER,
    POD_SPEC,
    TRIAL_SPEC,
    find_primary_container,
    words_of,
)
from katib.lint.violation import Edit, Violation, list_items
from katib.objects import JsonObject

WRAPPED = ("StdOut", "File", "TensorFlowEvent")
DEFAULT_PATHS = {
    "StdOut": "/var/log/katib/metrics.log",
    "File": "/var/log/katib/metrics.log",
    "TensorFlowEvent": "/var/log/katib/tfevent/",
}
# Replaced before a shell sees them.
HARMLESS = re.compile(rf"{PLACEHOLDER.pattern}|\$\([A-Za-z_][\w.-]*\)")
SHELL_CHARACTERS = re.compile(r"""[\s"'\\*?;&|<>()#~`\[\]{}!$]""")
SHELLS = ("sh", "bash")
# With registry and tag.
STRICT_IMAGE = re.compile(r"(?!localhost[:/])[^/]*[.:][^/]*/.+(:[\w.-]+|@sha256:[0-9a-f]{64})")
PRINTS_ELSEWHERE = re.compile(r"(?<![0-9&>])1?>{1,2}(?!&)\s*(?!/dev/std)\S")


def check_command(document: Document) -> Iterator[Violation]:
    """Yield every violation in the primary container's command."""
    kind = document.get(*KIND, default="StdOut")
    job = document.get(*TRIAL_SPEC)
    if kind not in WRAPPED or not isinstance(job, dict):
        return
    if (job.get("apiVersion"), job.get("kind")) != ("batch/v1", "Job"):
        return
    if len(list_items(document, *POD_SPEC, "containers")) > 1:
        message = "the metrics collector waits for all of them to end"
        fix = "let the others end by themselves, or use the collector Push"
        yield Violation("K247", (*POD_SPEC, "containers"), message, fix)
    found = find_primary_container(document)
    if found is None:
        return
    path, container = found
    words = words_of(document, path)
    if container.get("command"):
        yield from _check_words((*path, "command"), words, kind)
    else:
        yield _command_missing((*path, "command"), container)
    yield from _check_metrics_folder(document, path, words, kind)


def _command_missing(path: FieldPath, container: JsonObject) -> Violation:
    image = str(container.get("image"))
    fix = "write the image's command"
    if STRICT_IMAGE.fullmatch(image):
        message = f"is missing: Katib asks the registry of {image} for it at every pod's start"
        return Violation("K244", path, message, fix)
    message = (
        "is missing: Katib looks the image up in its registry, "
        "and a Trial with a local image stays Running for ever"
    )
    return Violation("K232", path, message, fix)


def _check_words(path: FieldPath, words: list[str], kind: str) -> Iterator[Violation]:
    program = words[0].rpartition("/")[2]
    if words[0] in SHELLS and words[1:2] == ["-c"]:
        if kind == "StdOut":
            yield from _check_script(path, " ".join(words[2:]))
    elif program in SHELLS and _has_script(words[1:]):
        message = (
            "only `sh -c` and `bash -c` are recognised: "
            "this one is wrapped again and runs its first word alone"
        )
        edit = Edit((*path, 0), program) if words[1:2] == ["-c"] else None
        yield Violation("K233", path, message, f'begin with "{program}", "-c"', edit)
    elif odd := [word for word in words if SHELL_CHARACTERS.search(HARMLESS.sub("x", word))]:
        message = (
            f"Katib joins the command without quoting, so the shell interprets {odd[0]!r}; "
            "here it is passed unchanged"
        )
        yield Violation("K242", path, message)


def _check_script(path: FieldPath, script: str) -> Iterator[Violation]:
    """Check what `sh -c` runs: Katib appends its redirection to the end of it."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "x", script)
    without_redirections = re.sub(r"[0-9]?>{1,2}&[0-9]|&>{1,2}", ">", bare)
    if re.search(r"[;&|\n]", without_redirections.strip()):
        message = "only the last command's output is collected"
        yield Violation("K241", path, message, "let one program print the metrics last")
    if PRINTS_ELSEWHERE.search(bare):
        message = "the output goes to a file of its own, not to Katib's"
        yield Violation("K245", path, message, "print, or use File")


def _has_script(arguments: list[str]) -> bool:
    """Whether a shell's arguments are not a file to run: `-c` in any spelling, or nothing."""
    options = itertools.takewhile(lambda word: word.startswith("-"), arguments)
    return not arguments or any("c" in option for option in options if not option.startswith("--"))


def _check_metrics_folder(
    document: Document, container: FieldPath, words: list[str], kind: str
) -> Iterator[Violation]:
    given = document.get(*METRICS_FILE, "path")
    metrics = PurePosixPath(str(given) if given and kind != "StdOut" else DEFAULT_PATHS[kind])
    folder = metrics if kind == "TensorFlowEvent" else metrics.parent
    for path, mount in list_items(document, *container, "volumeMounts"):
        if PurePosixPath(str(mount.get("mountPath"))) == folder:
            message = f"Katib mounts its own volume at {folder}"
            yield Violation("K218", path, message, "mount it, or write, elsewhere")
    hidden = [word for word in words if _is_below(word, folder) and not _is_below(word, metrics)]
    if folder == PurePosixPath("/"):
        hidden = hidden or ["the whole image"]
    if hidden:
        message = f"the empty volume that Katib mounts over {folder} hides {hidden[0]}"
        fix = "write the metrics into a folder of their own"
        yield Violation("K217", (*METRICS_FILE, "path"), message, fix)


def _is_below(word: str, folder: PurePosixPath) -> bool:
    return word.startswith("/") and folder in {PurePosixPath(word), *PurePosixPath(word).parents}
