"""What rules are made of: a problem, an edit that mends it, and helpers for shapes that Katib's Go types enforce."""

import difflib
from collections.abc import Container, Iterable, Iterator
from typing import Literal, NamedTuple

from katib.document import Document, FieldPath
from katib.lint.catalogue import Severity, rule

SURE = 0.84  # likeness of two names from which one is taken for a misspelling of the other


class Edit(NamedTuple):
    """A change of the text that is safe to make without asking.

    `value` and `key` replace a scalar or a field's name, `before` puts a line in front of a mapping's first field,
    `remove` takes a field away.
    """

    path: FieldPath
    text: str
    part: Literal["value", "key", "before", "remove"] = "value"


class Problem(NamedTuple):
    """A rule's complaint; lint turns the path into line and column."""

    code: str
    path: FieldPath
    message: str
    fix: str = ""
    edit: Edit | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is, which the catalogue says."""
        return rule(self.code).severity


def unknown_fields(
    document: Document, path: FieldPath, known: Iterable[str], code: str
) -> Iterator[Problem]:
    """Complain about keys of the mapping at `path` that are not known; names a near miss."""
    mapping = document.get(*path)
    names = sorted(known)
    for key in mapping if isinstance(mapping, dict) else ():
        if key not in names:
            yield unknown_field(code, path, key, names, mapping)


def unknown_field(
    code: str, at: FieldPath, key: object, known: Iterable[str], there: Container[str]
) -> Problem:
    """Complain about one unknown key; one that is surely misspelt can be mended, unless the right one is there too."""
    path = (*at, str(key))
    names = sorted(known)
    text = str(key)
    near = difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    near = [name for name in names if name.lower() == text.lower()] or near
    if not near:
        return Problem(code, path, "unknown field", f"known: {', '.join(names)}")
    likeness = difflib.SequenceMatcher(None, text.lower(), near[0].lower()).ratio()
    sure = likeness >= SURE and near[0] not in there
    return Problem(
        code,
        path,
        "unknown field",
        f"did you mean {near[0]}?",
        Edit(path, near[0], "key") if sure else None,
    )


def text_wanted(path: FieldPath, value: object) -> Problem:
    """Complain about a number or boolean where a string is needed."""
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    message = f"must be a string, is {type(value).__name__} {shown}"
    return Problem("K101", path, message, f'write "{shown}"', Edit(path, f'"{shown}"'))


def one_of(
    code: str, path: FieldPath, value: object, allowed: Iterable[str], message: str = ""
) -> Iterator[Problem]:
    """Complain about a word that is not allowed; one that differs in case alone can be mended."""
    allowed = list(allowed)
    if value in allowed:
        return
    text = message or f"must be {', '.join(allowed[:-1])} or {allowed[-1]}, is {value!r}"
    meant = next((word for word in allowed if word.lower() == str(value).lower()), "")
    fix, edit = (f"write {meant}", Edit(path, meant)) if meant else ("", None)
    yield Problem(code, path, text, fix, edit)


def items(document: Document, *path: str | int) -> list[tuple[FieldPath, dict[str, object]]]:
    """Return (path, mapping) of a list's entries; entries of another shape are left out."""
    value = document.get(*path, default=[])
    entries = enumerate(value) if isinstance(value, list) else ()
    return [((*path, i), entry) for i, entry in entries if isinstance(entry, dict)]
