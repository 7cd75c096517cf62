"""A YAML document that remembers the position of each field, for findings that name a line."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from katib.errors import InvalidExperiment
from katib.objects import JsonObject, JsonValue
from katib.yaml_reader import MERGE_TAG, NotYaml, compose_documents, construct, field_name

FieldPath = tuple[str | int, ...]
MOST_FIELDS = 20_000  # an Experiment has about a hundred
GROUP = "kubeflow.org"  # of Katib's objects
LIKE_GROUP = 0.8  # likeness of a group's name from which it is taken for a misspelt one
KIND = re.compile(r"""\bkind["']?\s*:\s*["']?Experiment""")
RELEVANT = ("Experiment", "Namespace")  # lint compares an Experiment with these


class Span(NamedTuple):
    """A field's place in the text; offsets of the first character and of the end.

    Attributes:
        key: of the field's name; None for the root and for entries of lists.
        value: of its value.
        is_block: whether the value is a mapping or list that is not written in braces.
    """

    key: tuple[int, int] | None
    value: tuple[int, int]
    is_block: bool


@dataclass(frozen=True, slots=True)
class Document:
    """The Experiment found in a file.

    Attributes:
        source: the file's name.
        value: the Experiment as plain values.
        positions: (line, column) of each field by its path, from 1.
        text: the whole text that it was read from, empty if it was never text.
        spans: the place of each field in the text.
        repeated: fields that occur twice in their mapping.
        other_objects: the other objects of the same text.
    """

    source: str
    value: JsonObject
    positions: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)
    text: str = field(default="", repr=False)
    spans: dict[FieldPath, Span] = field(default_factory=dict, repr=False)
    repeated: tuple[FieldPath, ...] = ()
    other_objects: tuple[JsonValue, ...] = field(default=(), repr=False)

    def position(self, path: FieldPath) -> tuple[int, int]:
        """Return (line, column) of a field, or of its nearest parent if it is absent."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))

    def get(self, *path: str | int, default: JsonValue = None) -> JsonValue:
        """Return the value at a path.

        Returns `default` if anything on the way is missing, null or of another shape.
        """
        value: JsonValue = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return default
        return default if value is None else value

    def get_list(self, *path: str | int) -> list[JsonValue]:
        """Return the list at a path; an empty one if it is missing or of another shape."""
        value = self.get(*path)
        return value if isinstance(value, list) else []


def read_document(path: Path) -> Document:
    """Read the one Experiment of a YAML file; documents of other kinds are ignored.

    Raises:
        InvalidExperiment: when the file cannot be read, is not YAML, or holds no Experiment or
            several.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidExperiment(f"{path}: {reason}", hint="check the path") from error
    return parse_document(text, source=str(path))


def parse_document(text: str, *, source: str = "experiment") -> Document:
    """Parse the one Experiment of a YAML or JSON text; see `read_document`."""
    try:
        found = parse_documents(text, source=source)
    except NotYaml as error:
        where = f"{source}:{error.line}:{error.column}"
        raise InvalidExperiment(f"{where}: not valid YAML: {error}", hint=error.hint) from error
    if len(found) == 1:
        return found[0]
    what = "no document of kind Experiment"
    if found:
        what = f"{len(found)} Experiments, one is needed"
    raise InvalidExperiment(f"{source}: {what}", hint="a Katib Experiment has `kind: Experiment`")


def may_hold_experiment(text: str) -> bool:
    """Whether a text can hold an Experiment of Katib; a search, which is faster than parsing."""
    return GROUP in text and KIND.search(text) is not None


def parse_documents(text: str, *, source: str = "experiment") -> list[Document]:
    """Return every Experiment of a stream of documents, also those in a `kind: List`.

    Experiments of another group than Katib's, such as those of Argo Rollouts, are passed over.

    Raises:
        NotYaml: when the text cannot be parsed.
    """
    objects = list(_parse_objects(text))
    found = []
    for node, value in objects:
        if _is_katib_experiment(value):
            places = _FieldPlaces(node)
            found.append(
                Document(
                    source=source,
                    value=value,
                    positions=places.positions,
                    text=text,
                    spans=places.spans,
                    repeated=tuple(dict.fromkeys(places.repeated)),
                    other_objects=tuple(other for _, other in objects if other is not value),
                )
            )
    return found


def _is_katib_experiment(value: JsonValue) -> bool:
    """Whether an object is, or is meant to be, an Experiment of Katib."""
    if not isinstance(value, dict) or value.get("kind") != "Experiment":
        return False
    version = value.get("apiVersion")
    group, slash, _ = str(version).partition("/")
    if not slash or group == GROUP:
        return True
    spec = value.get("spec")
    if isinstance(spec, dict) and {"objective", "trialTemplate"} & set(spec):
        return True
    return difflib.SequenceMatcher(None, group.lower(), GROUP).ratio() >= LIKE_GROUP


def _parse_objects(text: str) -> Iterator[tuple[yaml.Node, JsonValue]]:
    """Yield each object of a relevant kind with its node; those of a List one by one."""
    for root in compose_documents(text):
        for node in _listed_objects(root):
            if _kind_of(node) in RELEVANT:
                yield node, construct(node, text)


def _listed_objects(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield the items of a List, or the object itself."""
    items = _field(root, "items")
    if _kind_of(root).endswith("List") and isinstance(items, yaml.SequenceNode):
        yield from items.value
    else:
        yield root


def _kind_of(node: yaml.Node) -> str:
    kind = _field(node, "kind")
    return str(kind.value) if isinstance(kind, yaml.ScalarNode) else ""


def _field(node: yaml.Node, name: str) -> yaml.Node | None:
    """Return the value of a field, also of one that is merged in by `<<`; the last one counts."""
    found = None
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == name and key.tag != MERGE_TAG:
            found = value
        elif key.tag == MERGE_TAG and found is None:
            found = _field(value, name)
    return found


class _FieldPlaces:
    """The positions and spans of all fields of a node.

    Raises:
        NotYaml: when the node contains itself, or aliases make too much of it.
    """

    def __init__(self, root: yaml.Node) -> None:
        self.positions: dict[FieldPath, tuple[int, int]] = {}
        self.spans: dict[FieldPath, Span] = {}
        self.repeated: list[FieldPath] = []
        try:
            self._collect(root, ())
        except RecursionError as error:
            mark = root.start_mark
            message = "nested too deeply, or an alias stands for what it is in"
            raise NotYaml(message, mark.line + 1, mark.column + 1) from error

    def _collect(self, node: yaml.Node, path: FieldPath, key: yaml.Node | None = None) -> None:
        if len(self.positions) > MOST_FIELDS:
            message = "aliases make more of it than can be checked"
            raise NotYaml(message, node.start_mark.line + 1, 1)
        mark = (key or node).start_mark
        self.positions[path] = (mark.line + 1, mark.column + 1)
        is_block = getattr(node, "flow_style", None) is False
        self.spans[path] = Span(_offsets(key) if key else None, _offsets(node), is_block)
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for name_node, value in node.value:
                name = _name_of(name_node)
                if name in names:
                    self.repeated.append((*path, name))
                names.add(name)
                self._collect(value, (*path, name), name_node)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._collect(value, (*path, index))


def _name_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and node.tag != MERGE_TAG:
        return field_name(node)
    return str(node.value)


def _offsets(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index
