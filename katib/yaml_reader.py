"""YAML as kubectl reads it: YAML 1.1 as the Go library sigs.k8s.io/yaml does.

It differs from PyYAML in plain scalars: `y` and `n` are booleans, `1e-3` and `09` are numbers,
`0o14` is 12, and `64:32` and dates are text. Names of fields become text, as JSON has no others.
Source: go.yaml.in/yaml/v2, resolve.go; sigs.k8s.io/yaml, convertToJSONableObject.
"""

import math
import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from katib.objects import JsonValue

try:
    from yaml import CSafeLoader
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader as CSafeLoader  # type: ignore[assignment] # the same interface

TAG = "tag:yaml.org,2002:"
TEMPLATE_HINT = "render the Helm or Jinja template first"
BYTE_ORDER_MARK = "\ufeff"
MERGE = "<<"
MERGE_TAG = f"{TAG}merge"
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
SPECIAL_FLOATS = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
WHOLE = re.compile(
    r"([-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)"
    r"|(?P<dec>0|[1-9][0-9]*))"
)
BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
LEAST_INTEGER = -(2**63)
MOST_SIGNED = 2**63 - 1
MOST_UNSIGNED = 2**64 - 1
Scalar = bool | int | float | str | None


class NotYaml(Exception):
    """The text is not YAML; carries line and column, from 1, and what to do next."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.hint = hint


def read_scalar(text: str) -> Scalar:
    """Return the value of a plain scalar."""
    if text in NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if text in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[text]
    digits = text.replace("_", "")
    if text[0] == ".":
        return _read_decimal(text, digits)
    if text[0] in "+-0123456789":
        whole = _read_whole(digits)
        return _read_decimal(text, digits) if whole is None else whole
    return text


def _read_whole(digits: str) -> int | None:
    found = WHOLE.fullmatch(digits)
    if found is None:
        return None
    base, number = next((name, part) for name, part in found.groupdict().items() if part)
    value = int(number, BASES[base])
    if found[1] == "-":
        value = -value
    most = MOST_SIGNED if found[1] else MOST_UNSIGNED
    if LEAST_INTEGER <= value <= most:
        return value
    return None


def _read_decimal(text: str, digits: str) -> float | str:
    if DECIMAL.fullmatch(digits) and math.isfinite(value := float(digits)):
        return value
    return text


class _Scalars(SafeConstructor, Resolver):
    """Resolves and constructs plain scalars as Go does; all else is PyYAML's."""

    def resolve(  # the base class's signature
        self,
        kind: type[yaml.Node],
        value: str | None,
        implicit: bool | tuple[bool, bool],  # noqa: FBT001 - as in the base class
    ) -> str:
        if kind is yaml.ScalarNode and isinstance(implicit, tuple) and implicit[0]:
            if value == MERGE:
                return MERGE_TAG
            return _TAGS[type(read_scalar(value or ""))]
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call] # PyYAML has no types

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - as in the base class
    ) -> dict[Hashable, Any]:
        """Return a mapping whose names are all text."""
        self.flatten_mapping(node)
        return {
            field_name(key): self.construct_object(value, deep=deep) for key, value in node.value
        }


class _Loader(_Scalars, yaml.SafeLoader):
    """Reads in Python; slow, and names the place of an error best."""


class _FastLoader(_Scalars, CSafeLoader):
    """Reads with libyaml, eight times as fast."""


_TAGS = {
    type(None): f"{TAG}null",
    bool: f"{TAG}bool",
    int: f"{TAG}int",
    float: f"{TAG}float",
    str: f"{TAG}str",
}


def _construct_plain(_loader: _Loader, node: yaml.ScalarNode) -> Scalar:
    """Return what a scalar is, if it can be read as what its tag says."""
    value = read_scalar(str(node.value))
    if node.tag == f"{TAG}float" and type(value) is int:
        return float(value)
    if _TAGS[type(value)] != node.tag:
        message = f"cannot read {node.value!r} as {node.tag.removeprefix(TAG)}"
        raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)
    return value


def _construct_binary(loader: _Loader, node: yaml.ScalarNode) -> str:
    return loader.construct_yaml_binary(node).decode("utf-8", "replace")


def _construct_untagged(loader: _Loader, node: yaml.Node) -> JsonValue:
    """Return a value whose tag Go passes over."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return str(node.value)


for _tag in ("null", "bool", "int", "float"):
    _Loader.add_constructor(f"{TAG}{_tag}", _construct_plain)
for _tag in ("merge", "omap", "pairs", "set", "timestamp"):
    _Loader.add_constructor(f"{TAG}{_tag}", _construct_untagged)
_Loader.add_constructor(f"{TAG}binary", _construct_binary)
_Loader.add_constructor(None, _construct_untagged)


def field_name(node: yaml.Node) -> str:
    """Return a field's name, as JSON has it.

    Raises:
        yaml.YAMLError: when it is null, a list or a mapping, which JSON has not.
    """
    if isinstance(node, yaml.ScalarNode):
        if node.tag == f"{TAG}str":
            return str(node.value)
        value = read_scalar(str(node.value))
        if isinstance(value, bool):
            return str(value).lower()
        if value is not None:
            return f"{value:g}" if isinstance(value, float) else str(value)
    message = "the name of a field must be text"
    raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)


def compose_documents(text: str) -> Iterator[yaml.Node]:
    """Yield the root of each document that is not empty, with places in the text.

    Raises:
        NotYaml: when the text is not YAML.
    """
    loader: type[_Loader | _FastLoader] = _FastLoader
    if text.startswith(BYTE_ORDER_MARK):  # libyaml does not count it
        loader = _Loader
    try:
        nodes: list[yaml.Node | None] = list(yaml.compose_all(text, Loader=loader))
    except yaml.YAMLError:
        nodes = _compose_slowly(text)
    except RecursionError as error:
        raise NotYaml("nested too deeply", 1, 1) from error
    for node in nodes:
        if node is not None:
            yield node


def _compose_slowly(text: str) -> list[yaml.Node | None]:
    try:
        return list(yaml.compose_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from error
    except RecursionError as error:
        raise NotYaml("nested too deeply", 1, 1) from error


def construct(node: yaml.Node, text: str) -> JsonValue:
    """Return the plain values of a node that was composed from `text`.

    Raises:
        NotYaml: when a tag does not fit its value.
    """
    loader = _Loader("")
    try:
        value: JsonValue = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from error
    except RecursionError as error:
        raise NotYaml("nested too deeply", 1, 1) from error
    finally:
        loader.dispose()
    return value


def _not_yaml(error: yaml.YAMLError, text: str) -> NotYaml:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return NotYaml(f"character #x{error.character:04x}: {error.reason}", line, 1)
    problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
    hint = TEMPLATE_HINT if "{{" in text else ""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return NotYaml(problem, 1, 1, hint)
    return NotYaml(problem, mark.line + 1, mark.column + 1, hint)
