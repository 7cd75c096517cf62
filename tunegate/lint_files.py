"""The files that `tunegate lint` looks at, what it finds in them, and how they are mended."""

import difflib
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from katib.lint import lint_text, unreadable
from katib.lint.finding import Finding
from katib.lint.fix import mend

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
EXPERIMENT = re.compile(r"""kind["']?\s*:\s*["']?Experiment\b""")
NOT_INSTALLED = "K121"  # a cluster's own configuration decides which algorithms there are


@dataclass(frozen=True, slots=True)
class Linted:
    """One text and what was found in it; `path` is None for stdin and for what cannot be read."""

    name: str
    path: Path | None
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which findings count.

    Attributes:
        on: `local` or `katib`, where it is to run; empty for either, when limits of this machine are only notes.
        ignored: codes to leave out.
    """

    on: str = ""
    ignored: frozenset[str] = frozenset()

    def of(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return those that count, with the severity they have there."""
        kept = (
            f
            for f in findings
            if f.code not in self.ignored and not (f.for_local_only and self.on == "katib")
        )
        return tuple(self._weighed(finding) for finding in kept)

    def _weighed(self, finding: Finding) -> Finding:
        if finding.for_local_only and not self.on:
            return replace(finding, severity="note")
        if (finding.code == NOT_INSTALLED and self.on == "katib") or (
            finding.for_cluster_only and self.on == "local"
        ):
            return replace(finding, severity="warning")
        return finding


def read(names: Sequence[str], scope: Scope) -> Iterator[Linted]:
    """Lint files, folders with everything below them, and `-` for stdin; what cannot be read is a finding."""
    for name in dict.fromkeys(names):
        if name == STDIN:
            text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
            yield _linted("stdin", None, text, scope)
        elif Path(name).is_dir():
            yield from _folder(Path(name), scope)
        else:
            yield _file(Path(name), scope)


def mended(linted: Linted, scope: Scope) -> tuple[Linted, int]:
    """Return the text as `--fix` leaves it, with what is left to find, and how many findings it mended."""
    text, done = mend(linted.text, lambda text: scope.of(lint_text(text, linted.name)))
    return _linted(linted.name, linted.path, text, scope) if done else linted, len(done)


def write(linted: Linted) -> None:
    """Put the text into its file, whole or not at all; the file keeps its mode.

    Raises:
        OSError: when the folder cannot be written.
    """
    if linted.path is None:
        return
    path = linted.path.resolve()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(linted.text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o7777)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def difference(before: Linted, after: Linted) -> str:
    """Return the change as a unified diff, for `patch -p0`."""
    old, new = (text.splitlines(keepends=True) for text in (before.text, after.text))
    changes = difflib.unified_diff(old, new, before.name, before.name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in changes
    )


def _file(path: Path, scope: Scope) -> Linted:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return Linted(str(path), None, "", scope.of([unreadable(str(path), "not a text in UTF-8")]))
    except OSError as error:
        return Linted(
            str(path), None, "", scope.of([unreadable(str(path), error.strerror or str(error))])
        )
    return _linted(str(path), path, text, scope)


def _folder(folder: Path, scope: Scope) -> Iterator[Linted]:
    """Yield the files that hold an Experiment; hidden ones and those below hidden folders are passed over."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in SUFFIXES and path.is_file() and not hidden:
            linted = _file(path, scope)
            if linted.path is None or EXPERIMENT.search(linted.text):
                yield linted


def _linted(name: str, path: Path | None, text: str, scope: Scope) -> Linted:
    return Linted(name, path, text, scope.of(lint_text(text, name)))
