"""Rules about the text as a whole: repeated fields, and the other objects of the stream."""

from collections.abc import Iterator

from katib.document import Document
from katib.lint.violation import Violation
from katib.objects import JsonObject

INJECTION = "katib.kubeflow.org/metrics-collector-injection"


def check_stream(document: Document) -> Iterator[Violation]:
    """Yield every violation that shows only in the stream around this Experiment."""
    for path in document.repeated:
        yield Violation("K106", path, f"{path[-1]} occurs twice in this mapping", "keep one")
    yield from _check_namespace_label(document)
    yield from _check_namesakes(document)


def _check_namespace_label(document: Document) -> Iterator[Violation]:
    name = document.get("metadata", "namespace", default="default")
    for metadata in _metadata_of_kind(document, "Namespace"):
        labels = metadata.get("labels") or {}
        if metadata.get("name") == name and labels.get(INJECTION) != "enabled":
            message = f"the Namespace {name} in this stream lacks Katib's label"
            fix = f"add the label {INJECTION}: enabled to the Namespace"
            yield Violation("K107", ("metadata", "namespace"), message, fix)


def _check_namesakes(document: Document) -> Iterator[Violation]:
    name = document.get("metadata", "name")
    for metadata in _metadata_of_kind(document, "Experiment"):
        if name is not None and metadata.get("name") == name:
            namespace = metadata.get("namespace", "default")
            message = f"another Experiment is called {name}, in namespace {namespace}"
            yield Violation("K270", ("metadata", "name"), message, "give each a name of its own")


def _metadata_of_kind(document: Document, kind: str) -> Iterator[JsonObject]:
    for other in document.other_objects:
        if isinstance(other, dict) and other.get("kind") == kind:
            metadata = other.get("metadata")
            if isinstance(metadata, dict):
                yield metadata
