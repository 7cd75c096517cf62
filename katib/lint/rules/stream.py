"""Rules about the text as a whole: fields that stand twice, and what the other objects of the stream say."""

from collections.abc import Iterator
from typing import Any

from katib.document import Document
from katib.lint.problem import Problem

INJECTION = "katib.kubeflow.org/metrics-collector-injection"


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of the stream that this Experiment stands in."""
    for path in document.repeated:
        yield Problem("K106", path, f"{path[-1]} stands twice in this mapping", "keep one")
    yield from _namespace(document)
    yield from _namesakes(document)


def _namespace(document: Document) -> Iterator[Problem]:
    name = document.get("metadata", "namespace", default="default")
    for other in _of_kind(document, "Namespace"):
        labels = other["metadata"].get("labels") or {}
        if other["metadata"].get("name") == name and labels.get(INJECTION) != "enabled":
            fix = f"add the label {INJECTION}: enabled to the Namespace"
            yield Problem(
                "K107",
                ("metadata", "namespace"),
                f"the Namespace {name} here is without Katib's label",
                fix,
            )


def _namesakes(document: Document) -> Iterator[Problem]:
    name = document.get("metadata", "name")
    for other in _of_kind(document, "Experiment"):
        if name is not None and other["metadata"].get("name") == name:
            where = other["metadata"].get("namespace", "default")
            message = f"another Experiment is called {name}, in namespace {where}"
            yield Problem("K270", ("metadata", "name"), message, "give each a name of its own")


def _of_kind(document: Document, kind: str) -> Iterator[dict[str, Any]]:
    for other in document.beside:
        if (
            isinstance(other, dict)
            and other.get("kind") == kind
            and isinstance(other.get("metadata"), dict)
        ):
            yield other
