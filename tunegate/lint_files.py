"""The files that `tunegate lint` reads, what it finds in them, and how it fixes them."""

import difflib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from katib.document import may_hold_experiment
from katib.experiment import NOT_INSTALLED
from katib.lint import lint_text, unreadable_file
from katib.lint.finding import Finding
from katib.lint.fix import apply_fixes

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
NO_EXPERIMENT = "K002"


@dataclass(frozen=True, slots=True)
class LintedText:
    """One text and its findings; `path` is None for stdin and for unreadable files."""

    name: str
    path: Path | None
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class LintScope:
    """Which findings count.

    Attributes:
        on: `local` or `katib`, where it is to run; empty for either, which makes limits of this
            machine only notes.
        ignored: codes to leave out.
    """

    on: str = ""
    ignored: frozenset[str] = frozenset()

    def select(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings that count, with the severity they have there."""
        kept = [finding for finding in findings if finding.code not in self.ignored]
        if self.on == "katib":
            kept = [finding for finding in kept if not finding.for_local_only]
        return tuple(self._with_severity(finding) for finding in kept)

    def _with_severity(self, finding: Finding) -> Finding:
        if finding.for_local_only and not self.on:
            return replace(finding, severity="note")
        if finding.code == NOT_INSTALLED and self.on == "katib":
            return replace(finding, severity="warning")
        if finding.for_cluster_only and self.on == "local":
            return replace(finding, severity="warning")
        return finding


def lint_files(names: Sequence[str], scope: LintScope) -> Iterator[LintedText]:
    """Lint files, folders with everything below them, and `-` for stdin.

    A file that cannot be read is a finding.
    """
    for name in dict.fromkeys(names):
        if name == STDIN:
            text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
            yield _lint_named("stdin", None, text, scope)
        elif Path(name).is_dir():
            yield from _lint_folder(Path(name), scope)
        else:
            yield _lint_file(Path(name), scope)


def fix_linted(linted: LintedText, scope: LintScope) -> tuple[LintedText, int]:
    """Return the text as `--fix` leaves it, with its remaining findings, and how many are fixed."""
    text, fixed = apply_fixes(linted.text, lambda text: scope.select(lint_text(text, linted.name)))
    if not fixed:
        return linted, 0
    return _lint_named(linted.name, linted.path, text, scope), len(fixed)


def write_linted(linted: LintedText) -> None:
    """Replace the file by the text, whole or not at all; the file keeps its mode.

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


def unified_diff(before: LintedText, after: LintedText) -> str:
    """Return the change as a unified diff, for `patch -p0`."""
    old = before.text.splitlines(keepends=True)
    new = after.text.splitlines(keepends=True)
    changes = difflib.unified_diff(old, new, before.name, before.name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in changes
    )


def _lint_file(path: Path, scope: LintScope) -> LintedText:
    try:
        content = path.read_bytes()
    except OSError as error:
        return _unreadable(path, error.strerror or str(error), scope)
    return _lint_bytes(path, content, scope)


def _lint_bytes(path: Path, content: bytes, scope: LintScope) -> LintedText:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return _unreadable(path, "not a text in UTF-8", scope)
    return _lint_named(str(path), path, text, scope)


def _unreadable(path: Path, reason: str, scope: LintScope) -> LintedText:
    return LintedText(str(path), None, "", scope.select([unreadable_file(str(path), reason)]))


def _lint_folder(folder: Path, scope: LintScope) -> Iterator[LintedText]:
    """Yield the files that hold an Experiment of Katib; hidden files and folders are skipped.

    Most files of a repository hold none, so each is searched before it is parsed.
    """
    for path in _visible_files(folder):
        try:
            content = path.read_bytes()
        except OSError as error:
            yield _unreadable(path, error.strerror or str(error), scope)
            continue
        if may_hold_experiment(content.decode("utf-8", errors="replace")):
            linted = _lint_bytes(path, content, scope)
            if [finding.code for finding in linted.findings] != [NO_EXPERIMENT]:
                yield linted


def _visible_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix in SUFFIXES and not name.startswith(".") and path.is_file():
                yield path


def _lint_named(name: str, path: Path | None, text: str, scope: LintScope) -> LintedText:
    return LintedText(name, path, text, scope.select(lint_text(text, name)))
