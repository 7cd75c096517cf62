"""Which objects a request is about: label and field selectors, as in `kubectl get -l`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from katib.endpoint.refusals import bad_request
from katib.endpoint.resources import Resource, find_value
from katib.objects import KatibObject

Test = Callable[[object], bool]
TERM = re.compile(r"\s*(?:[^,(]|\([^)]*\))+")  # commas inside of parentheses do not separate
AMONG = re.compile(r"\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*")
EQUAL = re.compile(r"\s*([^=!\s]+)\s*(==|=|!=)\s*(\S*)\s*")
PRESENT = re.compile(r"\s*(!?)\s*([^=!\s]+)\s*")


@dataclass(frozen=True, slots=True)
class ObjectSelection:
    """Objects of a kind; empty texts select all."""

    resource: Resource
    namespace: str = ""
    labels: str = ""
    fields: str = ""

    def includes(self, resource: Resource, item: KatibObject) -> bool:
        """Whether an object of a kind is selected.

        Raises:
            Refusal: when a selector cannot be read.
        """
        same_kind = resource is self.resource
        in_place = self.namespace in {"", item["metadata"].get("namespace", "")}
        return same_kind and in_place and matches(item, self.labels, self.fields)


def matches(item: KatibObject, labels: str, fields: str) -> bool:
    """Whether an object is selected.

    Args:
        item: the object.
        labels: the label selector; empty for all.
        fields: the field selector; empty for all.

    Raises:
        Refusal: when a selector cannot be read.
    """
    own = item["metadata"].get("labels") or {}
    by_label = all(test(own.get(key)) for key, test in map(_read_term, TERM.findall(labels)))
    by_field = map(_read_term, TERM.findall(fields))
    return by_label and all(test(find_value(item, path)) for path, test in by_field)


def _read_term(term: str) -> tuple[str, Test]:
    if found := AMONG.fullmatch(term):
        values = {value.strip() for value in found[3].split(",")}
        wanted = found[2] == "in"
        return found[1], lambda value: (value in values) is wanted
    if found := EQUAL.fullmatch(term):
        wanted = found[2] != "!="
        expected = found[3]
        return found[1], lambda value: (value is not None and str(value) == expected) is wanted
    if found := PRESENT.fullmatch(term):
        wanted = not found[1]
        return found[2], lambda value: (value is not None) is wanted
    raise bad_request(f"unable to parse requirement: {term!r}")
