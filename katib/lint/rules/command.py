"""Rules about the primary container's command, and about what Katib makes of it.

Source: Katib v0.19, pkg/webhook/v1beta1/pod; `katib.worker_command` has what it does to a command.
Katib mounts an empty volume over the folder of the metrics file.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
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
from katib.lint.rules.wrapping import PARAMETER, CommandPlace, check_wrapping
from katib.lint.violation import Edit, Violation, list_items
from katib.objects import JsonObject
from katib.shell.parser import parse_script
from katib.shell.tree import ShellSyntaxError, Simple
from katib.worker_command import SHELLS, STDOUT_FILE, WRAPPING_COLLECTORS, wrap_command

DEFAULT_PATHS = {
    "StdOut": STDOUT_FILE,
    "File": STDOUT_FILE,
    "TensorFlowEvent": "/var/log/katib/tfevent/",
}
VARIABLE = re.compile(r"\$\([A-Za-z_][\w.-]*\)")  # replaced before a shell sees it
OTHER_SHELLS = (*SHELLS, "dash", "ash", "zsh", "ksh", "busybox")
# With registry and tag.
STRICT_IMAGE = re.compile(r"(?!localhost[:/])[^/]*[.:][^/]*/.+(:[\w.-]+|@sha256:[0-9a-f]{64})")


def check_command(document: Document) -> Iterator[Violation]:
    """Yield every violation in the primary container's command."""
    kind = document.get(*KIND, default="StdOut")
    job = document.get(*TRIAL_SPEC)
    if kind not in WRAPPING_COLLECTORS or not isinstance(job, dict):
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
        yield from _check_words(document, path, words, str(kind))
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


def _check_words(
    document: Document, container: FieldPath, words: list[str], kind: str
) -> Iterator[Violation]:
    path = (*container, "command")
    recognised = words[0] in SHELLS and words[1:2] == ["-c"]
    at = _unrecognised_shell(words)
    if at is not None and not recognised:
        name = words[at].rpartition("/")[2]
        program = name if name in SHELLS else "sh"
        message = (
            "only `sh -c` and `bash -c`, at the very beginning, are recognised: "
            "this one is wrapped again and runs its first word alone"
        )
        edit = None
        if at == 0 and words[1:2] == ["-c"] and program == name:
            edit = Edit((*path, 0), program)
        fix = f'begin with "{program}", "-c"'
        if at == 0 and edit is None:
            fix += ', and write options into the script, as in "set -o pipefail; ..."'
        yield Violation("K233", path, message, fix, edit)
        return
    seen = [VARIABLE.sub("x", PLACEHOLDER.sub(PARAMETER, word)) for word in words]
    file = metrics_path(document, kind)
    folder = file if kind == "TensorFlowEvent" else file.parent
    output = str(file) if kind == "StdOut" else ""
    command = wrap_command(seen, output=output, folder=str(folder))
    place = CommandPlace(path, _last_word(document, container))
    yield from check_wrapping(command, place, output=output)
    if not recognised:
        yield from _check_joining(path, words, seen)


def _check_joining(path: FieldPath, words: list[str], seen: list[str]) -> Iterator[Violation]:
    """Check that a shell passes the joined words as they are written."""
    try:
        script = parse_script(" ".join(seen))
    except ShellSyntaxError:
        return  # `check_wrapping` says so
    first = script.chains[0].pipelines[0][0] if script.chains else None
    words_of_shell = first.words if isinstance(first, Simple) else ()
    passed = [w.value for w in words_of_shell if w.plain or w.value == _unquoted(w.raw) != w.raw]
    meant = [_unquoted(word) for word in seen]
    if passed == meant and len(script.chains) == 1:
        return
    odd = next((i for i, word in enumerate(meant) if passed[i : i + 1] != [word]), 0)
    message = f"Katib joins the command without quoting, so the shell interprets {words[odd]!r}"
    yield Violation("K242", path, message, "write `sh -c` and a script with its own quotes")


def _unquoted(word: str) -> str:
    """Return the flag that is meant by one quoted for the shell: `--data='my house.csv'`."""
    name, equals, value = word.partition("=")
    with suppress(ValueError):
        parts = shlex.split(value)
        if value.startswith("'") and len(parts) == 1 and shlex.quote(parts[0]) == value:
            return f"{name}{equals}{parts[0]}"
    return word


def _unrecognised_shell(words: list[str]) -> int | None:
    """Return the place of the shell that gets a script as one word, if there is any."""
    for index, word in enumerate(words):
        if word.rpartition("/")[2] not in OTHER_SHELLS:
            continue
        rest = words[index + 1 :]
        if _has_script(rest) and (rest or index == 0):
            return index
    return None


def _last_word(document: Document, container: FieldPath) -> FieldPath:
    """Return the place of the last word of command and args."""
    for name in ("args", "command"):
        if count := len(document.get_list(*container, name)):
            return (*container, name, count - 1)
    return container


def _has_script(arguments: list[str]) -> bool:
    """Whether a shell's arguments are not a file to run: `-c` in any spelling, or nothing."""
    rest = iter(arguments)
    for word in rest:
        if not word.startswith(("-", "+")):
            return False
        if not word.startswith("--") and "c" in word:
            return True
        if (word[-1] in "oO" and word[1] != "-") or word in {"--rcfile", "--init-file"}:
            next(rest, None)  # the option's own argument
    return True


def _check_metrics_folder(
    document: Document, container: FieldPath, words: list[str], kind: str
) -> Iterator[Violation]:
    metrics = metrics_path(document, kind)
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


def metrics_path(document: Document, kind: str) -> PurePosixPath:
    """Return the metrics file, or the folder of TensorFlow's events, of a collector that wraps."""
    given = document.get(*METRICS_FILE, "path")
    if given and kind != "StdOut":
        return PurePosixPath(str(given))
    return PurePosixPath(DEFAULT_PATHS[kind])


def _is_below(word: str, folder: PurePosixPath) -> bool:
    return word.startswith("/") and folder in {PurePosixPath(word), *PurePosixPath(word).parents}
