"""What rules yield: a violation, the edit that fixes it, and checks that many rules share."""

import difflib
from collections.abc import Container, Iterable, Iterator
from typing import Literal, NamedTuple

from katib.document import Document, FieldPath
from katib.lint.catalogue import Severity, find_rule

NEAR = 0.6  # likeness of two names from which one is asked about
# What people write for a word of Katib's or Kubernetes'.
OTHER_WORDS = {
    "bayesian": "bayesianoptimization",
    "bayes": "bayesianoptimization",
    "bo": "bayesianoptimization",
    "gp": "bayesianoptimization",
    "skopt": "bayesianoptimization",
    "randomsearch": "random",
    "gridsearch": "grid",
    "hyperopt": "tpe",
    "mtpe": "multivariate-tpe",
    "cma": "cmaes",
    "populationbasedtraining": "pbt",
    "median": "medianstop",
    "integer": "int",
    "long": "int",
    "float": "double",
    "real": "double",
    "number": "double",
    "choice": "categorical",
    "string": "categorical",
    "str": "categorical",
    "bool": "categorical",
    "boolean": "categorical",
    "enum": "categorical",
    "log": "logUniform",
    "gaussian": "normal",
    "min": "minimize",
    "minimum": "minimize",
    "lower": "minimize",
    "max": "maximize",
    "maximum": "maximize",
    "higher": "maximize",
    "last": "latest",
    "tensorboard": "TensorFlowEvent",
    "tfevent": "TensorFlowEvent",
    "tfevents": "TensorFlowEvent",
    "prometheus": "PrometheusMetric",
    "none": "Push",
    "volume": "FromVolume",
    "text": "TEXT",
}
SURE = 0.84  # likeness of two names from which one is taken for a misspelling of the other


class Edit(NamedTuple):
    """A change of the text that is safe to make without asking.

    `value` and `key` replace a scalar or a field's name, `before` puts a line in front of a
    mapping's first field, `remove` removes a field, `strip` takes the last line break off a block
    of text.
    """

    path: FieldPath
    text: str
    part: Literal["value", "key", "before", "remove", "strip"] = "value"


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
    near = near or difflib.get_close_matches(text, names, n=1, cutoff=NEAR)
    if not near:
        return Violation(code, path, "unknown field", f"known: {', '.join(names)}")
    edit = None
    likeness = difflib.SequenceMatcher(None, text.lower(), near[0].lower()).ratio()
    if likeness >= SURE and near[0] not in present:
        edit = Edit(path, near[0], "key")
    return Violation(code, path, "unknown field", f"did you mean {near[0]}?", edit)


def string_expected(path: FieldPath, value: object) -> Violation:
    """Return the violation for a number or boolean where Katib wants a string."""
    if isinstance(value, bool):  # it may be written as y, no or off
        shown = str(value).lower()
        message = f"must be a string, is bool {shown}"
        return Violation("K101", path, message, "put it in quotes", Edit(path, f'"{shown}"'))
    shown = str(value)
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
        return
    near = similar_word(str(value), allowed)
    yield Violation(code, path, text, f"did you mean {near}?" if near else "")


def similar_word(text: str, allowed: Iterable[str]) -> str:
    """Return the allowed word that is likely to be meant, empty if none is."""
    bare = {_letters(word): word for word in allowed}
    letters = _letters(text)
    other = OTHER_WORDS.get(letters, "")
    if letters in bare or other in bare.values():
        return bare.get(letters, other)
    near = difflib.get_close_matches(letters, bare, n=1, cutoff=NEAR)
    return bare[near[0]] if near else ""


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def list_items(document: Document, *path: str | int) -> list[tuple[FieldPath, dict[str, object]]]:
    """Return (path, mapping) of a list's entries; entries of another shape are left out."""
    entries = enumerate(document.get_list(*path))
    return [((*path, i), entry) for i, entry in entries if isinstance(entry, dict)]
