"""A YAML document that remembers where each of its fields stands, so that a finding can name line and column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from katib.errors import InvalidExperiment

FieldPath = tuple[str | int, ...]
MOST_FIELDS = 20_000  # an Experiment has about a hundred
FLOAT = "tag:yaml.org,2002:float"
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a date is text, and 1e-3 a number."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - declared by the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    FLOAT, re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$", re.ASCII), [*"-+.0123456789"]
)


class Span(NamedTuple):
    """Where a field's name and its value stand in the text: offsets of first character and end."""

    key: tuple[int, int] | None
    value: tuple[int, int]
    is_block: bool  # a mapping or list that is not written in braces


@dataclass(frozen=True, slots=True)
class Document:
    """The Experiment found in a file: plain values, and a position (line, column; from 1) for each field's path.

    Attributes:
        text: the whole text that it was read from, empty when it was never text.
        spans: where each field stands in it.
        repeated: fields that stand twice in their mapping.
        beside: the other objects of the same text.
    """

    source: str
    value: dict[str, Any]
    positions: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)
    text: str = field(default="", repr=False)
    spans: dict[FieldPath, Span] = field(default_factory=dict, repr=False)
    repeated: tuple[FieldPath, ...] = ()
    beside: tuple[Any, ...] = field(default=(), repr=False)

    def position(self, path: FieldPath) -> tuple[int, int]:
        """Return where a field stands, or where its nearest parent does when it is absent."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))

    def get(self, *path: str | int, default: Any = None) -> Any:  # noqa: ANN401 - YAML
        """Return the value at a path, or `default` where anything on the way is missing or of another shape."""
        value: Any = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return default
        return default if value is None else value


class NotYaml(Exception):
    """The text is not YAML; carries line and column, from 1, and what to do next."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.hint = hint


def read_document(path: Path) -> Document:
    """Read the one Experiment of a YAML file; other kinds of documents in it are passed over.

    Raises:
        InvalidExperiment: when the file cannot be read, is not YAML, or holds no Experiment, or several.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidExperiment(
            f"{path}: {getattr(error, 'strerror', None) or error}", hint="check the path"
        ) from error
    return parse_document(text, source=str(path))


def parse_document(text: str, *, source: str = "experiment") -> Document:
    """Parse YAML or JSON text; see `read_document`."""
    try:
        found = parse_documents(text, source=source)
    except NotYaml as error:
        where = f"{source}:{error.line}:{error.column}"
        raise InvalidExperiment(f"{where}: not valid YAML: {error}", hint=error.hint) from error
    if len(found) != 1:
        if not found:
            what = "no document of kind Experiment"
        else:
            what = f"{len(found)} Experiments, one is needed"
        raise InvalidExperiment(
            f"{source}: {what}", hint="a Katib Experiment has `kind: Experiment`"
        )
    return found[0]


def parse_documents(text: str, *, source: str = "experiment") -> list[Document]:
    """Return every Experiment of a stream of documents, those in a `kind: List` too.

    Raises:
        NotYaml: when the text cannot be parsed.
    """
    objects = list(_objects(text))
    found = []
    for node, value in objects:
        if isinstance(value, dict) and value.get("kind") == "Experiment":
            places = _places(node)
            beside = tuple(other for _, other in objects if other is not value)
            repeated = tuple(dict.fromkeys(places.repeated))
            found.append(
                Document(source, value, places.positions, text, places.spans, repeated, beside)
            )
    return found


def _places(node: yaml.Node) -> "_Places":
    places = _Places()
    try:
        places.collect(node, ())
    except RecursionError as error:
        mark = node.start_mark
        message = "nested too deeply, or an alias stands for what it is in"
        raise NotYaml(message, mark.line + 1, mark.column + 1) from error
    return places


def _objects(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    try:
        nodes: Iterator[yaml.Node | None] = yaml.compose_all(text, Loader=_Loader)
        for node in nodes:
            if node is None:
                continue
            value = _construct(node)
            if (
                isinstance(value, dict)
                and value.get("kind") == "List"
                and isinstance(value.get("items"), list)
            ):
                entries = next(item for key, item in node.value if key.value == "items")
                yield from zip(entries.value, value["items"], strict=True)
            else:
                yield node, value
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from error
    except RecursionError as error:
        raise NotYaml("nested too deeply", 1, 1) from error


def _not_yaml(error: yaml.YAMLError, text: str) -> NotYaml:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return NotYaml(f"character #x{error.character:04x}: {error.reason}", line, 1)
    if "{{" in text:
        hint = "render the Helm or Jinja template first"
    else:
        hint = ""
    return NotYaml(problem, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, hint)


def _construct(node: yaml.Node) -> Any:  # noqa: ANN401 - YAML
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Places:
    """Where the fields of a node stand."""

    def __init__(self) -> None:
        self.positions: dict[FieldPath, tuple[int, int]] = {}
        self.spans: dict[FieldPath, Span] = {}
        self.repeated: list[FieldPath] = []

    def collect(self, node: yaml.Node, path: FieldPath, key: yaml.Node | None = None) -> None:
        """Note a node and everything below it."""
        if len(self.positions) > MOST_FIELDS:
            raise NotYaml(
                "aliases make more of it than can be checked", node.start_mark.line + 1, 1
            )
        shown = key or node
        self.positions[path] = (shown.start_mark.line + 1, shown.start_mark.column + 1)
        self.spans[path] = Span(
            _span(key) if key else None, _span(node), getattr(node, "flow_style", None) is False
        )
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for name, value in node.value:
                step = (*path, str(name.value))
                if step[-1] in names:
                    self.repeated.append(step)
                names.add(str(step[-1]))
                self.collect(value, step, name)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.collect(value, (*path, index))


def _span(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index
