"""What rules yield: a violation, the edit that fixes it, and checks that many rules share."""

import difflib
from collections.abc import Container, Iterable, Iterator
from typing import Literal, NamedTuple

from katib.document import Document, FieldPath
from katib.lint.catalogue import Severity, find_rule

SURE = 0.84  # likeness of two names from which one is taken for a misspelling of the other


class Edit(NamedTuple):
    """A change of the text that is safe to make without asking.

    `value` and `key` replace a scalar or a field's name, `before` puts a line in front of a
    mapping's first field, `remove` removes a field.
    """

    path: FieldPath
    text: str
    part: Literal["value", "key", "before", "remove"] = "value"


class Violation(NamedTuple):
    """A rule that a field breaks; lint turns the path into line and column."""

    code: str
    path: FieldPath
    message: str
    fix: str = ""
    edit: Edit | None = None

    @property
    def severity(self) -> Severity:
        """How severe it is, as the catalogue says."""
        return find_rule(self.code).severity


def unknown_fields(
    document: Document, path: FieldPath, known: Iterable[str]
) -> Iterator[Violation]:
    """Yield K201 for each key of the mapping at `path` that is not known."""
    mapping = document.get(*path)
    names = sorted(known)
    if not isinstance(mapping, dict):
        return
    for key in mapping:
        if key not in names:
            yield unknown_field("K201", path, key, names, mapping)


def unknown_field(
    code: str, parent: FieldPath, key: object, known: Iterable[str], present: Container[str]
) -> Violation:
    """Return the violation for one unknown key, with the known name that is most like it.

    An edit renames the key if it is surely misspelt and the right one is not `present`.
    """
    path = (*parent, str(key))
    names = sorted(known)
    text = str(key)
    near = [name for name in names if name.lower() == text.lower()]
    near = near or difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    if not near:
        return Violation(code, path, "unknown field", f"known: {', '.join(names)}")
    edit = None
    likeness = difflib.SequenceMatcher(None, text.lower(), near[0].lower()).ratio()
    if likeness >= SURE and near[0] not in present:
        edit = Edit(path, near[0], "key")
    return Violation(code, path, "unknown field", f"did you mean {near[0]}?", edit)


def string_expected(path: FieldPath, value: object) -> Violation:
    """Return the violation for a number or boolean where Katib wants a string."""
    shown = str(value)
    if isinstance(value, bool):
        shown = shown.lower()
    message = f"must be a string, is {type(value).__name__} {shown}"
    return Violation("K101", path, message, f'write "{shown}"', Edit(path, f'"{shown}"'))


def number_expected(code: str, path: FieldPath, message: str, unquoted: str) -> Violation:
    """Return the violation for something that is no number; `unquoted` replaces it if not empty."""
    edit = Edit(path, unquoted) if unquoted else None
    return Violation(code, path, message, "write it without quotes", edit)


def check_word(
    code: str, path: FieldPath, value: object, allowed: Iterable[str], message: str = ""
) -> Iterator[Violation]:
    """Yield a violation for a word that is not allowed; one that differs in case has an edit."""
    allowed = list(allowed)
    if value in allowed:
        return
    text = message or f"must be {', '.join(allowed[:-1])} or {allowed[-1]}, is {value!r}"
    meant = next((word for word in allowed if word.lower() == str(value).lower()), "")
    if meant:
        yield Violation(code, path, text, f"write {meant}", Edit(path, meant))
    else:
        yield Violation(code, path, text)


def list_items(document: Document, *path: str | int) -> list[tuple[FieldPath, dict[str, object]]]:
    """Return (path, mapping) of a list's entries; entries of another shape are left out."""
    entries = enumerate(document.get_list(*path))
    return [((*path, i), entry) for i, entry in entries if isinstance(entry, dict)]
