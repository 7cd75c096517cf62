"""A YAML document that remembers where each of its fields stands, so that a finding can name line and column."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from katib.errors import InvalidExperiment

FieldPath = tuple[str | int, ...]
FLOAT, TIMESTAMP = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a date is text, and 1e-3 a number."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - declared by the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    FLOAT, re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$", re.ASCII), [*"-+.0123456789"]
)


@dataclass(frozen=True, slots=True)
class Document:
    """The Experiment found in a file: plain values, and a position (line, column; from 1) for each field's path."""

    source: str
    value: dict[str, Any]
    positions: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)

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
        roots = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
        documents = [(node, _construct(node)) for node in roots]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise InvalidExperiment(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
    found = [(node, v) for node, v in documents if isinstance(v, dict) and v.get("kind") == "Experiment"]
    if len(found) != 1:
        what = "no document of kind Experiment" if not found else f"{len(found)} Experiments, one is needed"
        raise InvalidExperiment(f"{source}: {what}", hint="a Katib Experiment has `kind: Experiment`")
    node, value = found[0]
    positions: dict[FieldPath, tuple[int, int]] = {}
    _collect(node, (), positions)
    return Document(source, value, positions)


def _construct(node: yaml.Node) -> Any:  # noqa: ANN401 - YAML
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _collect(node: yaml.Node, path: FieldPath, into: dict[FieldPath, tuple[int, int]]) -> None:
    into.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            step = (*path, str(key.value))
            into[step] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _collect(value, step, into)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), into)
