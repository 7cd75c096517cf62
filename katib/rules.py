"""What rules are made of: a problem, and helpers for the shapes that Katib's Go types enforce."""

import difflib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from katib.document import Document, FieldPath


class Problem(NamedTuple):
    """A rule's complaint; lint turns the path into line and column."""

    code: str
    path: FieldPath
    message: str
    fix: str = ""
    severity: str = "error"


def warning(code: str, path: FieldPath, message: str, fix: str = "") -> Problem:
    """Make a problem that does not stop a run."""
    return Problem(code, path, message, fix, "warning")


def unknown_fields(document: Document, path: FieldPath, known: Iterable[str], code: str) -> Iterator[Problem]:
    """Complain about keys of the mapping at `path` that are not known; names a near miss."""
    mapping, names = document.get(*path), sorted(known)
    for key in mapping if isinstance(mapping, dict) else ():
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.6)
            fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
            yield Problem(code, (*path, str(key)), "unknown field; Katib removes it without a word", fix)


def items(document: Document, *path: str | int) -> list[tuple[FieldPath, dict[str, object]]]:
    """Return (path, mapping) of a list's entries; entries of another shape are left out."""
    value = document.get(*path, default=[])
    entries = enumerate(value) if isinstance(value, list) else ()
    return [((*path, i), entry) for i, entry in entries if isinstance(entry, dict)]
