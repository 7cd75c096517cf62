"""Label and field selectors, as in `kubectl get -l` and `--field-selector`."""

import re
from collections.abc import Callable, Mapping

from katib.endpoint.refusals import bad_request
from katib.objects import KatibObject

Test = Callable[[str | None], bool]
TERM = re.compile(r"\s*(?:[^,(]|\([^)]*\))+")  # commas inside of parentheses do not separate
AMONG = re.compile(r"\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*")
EQUAL = re.compile(r"\s*([^=!\s]+)\s*(==|=|!=)\s*(\S*)\s*")
PRESENT = re.compile(r"\s*(!?)\s*([^=!\s]+)\s*")


def matches(item: KatibObject, labels: str, fields: str) -> bool:
    """Whether an object is selected.

    Args:
        item: the object.
        labels: the label selector; empty for all.
        fields: the field selector; empty for all.

    Raises:
        Refusal: when a selector cannot be read.
    """
    own: Mapping[str, str] = item["metadata"].get("labels") or {}
    by_label = all(test(own.get(key)) for key, test in _read_selector(labels))
    return by_label and all(test(_field(item, key)) for key, test in _read_selector(fields))


def _read_selector(text: str) -> list[tuple[str, Test]]:
    return [_read_term(term) for term in TERM.findall(text)]


def _read_term(term: str) -> tuple[str, Test]:
    if found := AMONG.fullmatch(term):
        values = {value.strip() for value in found[3].split(",")}
        wanted = found[2] == "in"
        return found[1], lambda value: (value in values) is wanted
    if found := EQUAL.fullmatch(term):
        wanted = found[2] != "!="
        expected = found[3]
        return found[1], lambda value: (value == expected) is wanted
    if found := PRESENT.fullmatch(term):
        wanted = not found[1]
        return found[2], lambda value: (value is not None) is wanted
    raise bad_request(f"unable to parse requirement: {term!r}")


def _field(item: KatibObject, path: str) -> str | None:
    value: object = item
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return str(value)
