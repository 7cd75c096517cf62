from pathlib import Path
from textwrap import dedent

import pytest

from katib.document import parse_document, read_document
from katib.errors import InvalidExperiment


def text(content: str) -> str:
    return dedent(content).lstrip()


def test_every_field_knows_its_line_and_column() -> None:
    document = parse_document(
        text("""
        kind: Experiment
        spec:
          parameters:
            - name: x
              feasibleSpace: { min: "1", list: [a, bb] }
        """)
    )
    assert document.position(("kind",)) == (1, 1)
    assert document.position(("spec", "parameters")) == (3, 3)
    assert document.position(("spec", "parameters", 0)) == (4, 7)
    assert document.position(("spec", "parameters", 0, "feasibleSpace", "min")) == (5, 24)
    assert document.position(("spec", "parameters", 0, "feasibleSpace", "list", 1)) == (5, 44)


def test_an_absent_field_has_the_position_of_its_nearest_parent() -> None:
    document = parse_document("kind: Experiment\nspec:\n  objective: {}\n")
    assert document.position(("spec", "objective", "goal")) == (3, 3)
    assert document.position(("spec", "parameters", 3, "name")) == (2, 1)
    assert document.position(("nothing",)) == (1, 1)


def test_get_returns_the_default_for_anything_missing_null_or_of_another_shape() -> None:
    document = parse_document("kind: Experiment\nspec: {a: [1], b: null, c: text}\n")
    assert document.get("spec", "a", 0) == 1
    for path in (
        ("spec", "a", 1),
        ("spec", "a", "x"),
        ("spec", "b"),
        ("spec", "c", "d"),
        ("spec", "x", "y"),
    ):
        assert document.get(*path, default="gone") == "gone"


def test_the_experiment_is_found_among_documents_of_other_kinds() -> None:
    document = parse_document(
        "kind: Namespace\n---\n---\nkind: Experiment\nmetadata: {name: a}\n---\n- 1\n"
    )
    assert document.get("metadata", "name") == "a"
    assert document.position(("metadata",)) == (5, 1)


def test_json_is_read_too() -> None:
    assert (
        parse_document('{"kind": "Experiment", "spec": {"maxTrialCount": 3}}').get(
            "spec", "maxTrialCount"
        )
        == 3
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no document of kind Experiment"),
        ("kind: Pod\n", "no document of kind Experiment"),
        ("kind: Experiment\n---\nkind: Experiment\n", "2 Experiments, one is needed"),
        ("kind: Experiment\nspec: [1\n", "file.yaml:3:1: not valid YAML"),
        ("kind: Experiment\n\tspec: 1\n", "file.yaml:2:1: not valid YAML"),
        ("kind: !!int Experiment\n", "file.yaml:1:7: not valid YAML"),
        ("kind: \x00\n", "file.yaml:1:1: not valid YAML: character #x0000"),
    ],
)
def test_what_is_not_one_experiment_is_refused_with_its_place(content: str, complaint: str) -> None:
    with pytest.raises(InvalidExperiment) as refused:
        parse_document(content, source="file.yaml")
    assert complaint in str(refused.value)


def test_dates_are_text_and_exponents_numbers_as_for_kubectl() -> None:
    document = parse_document(
        text("""
        kind: Experiment
        metadata: { annotations: { day: 2026-01-31, time: 2026-01-31T10:00:00Z } }
        spec: { objective: { goal: 1e-3 }, quoted: "1e-3", plain: 1.5e3, word: e3, port: 8080 }
        """)
    )
    assert document.get("metadata", "annotations") == {
        "day": "2026-01-31",
        "time": "2026-01-31T10:00:00Z",
    }
    assert document.get("spec", "objective", "goal") == pytest.approx(0.001)
    assert [document.get("spec", name) for name in ("quoted", "plain", "word", "port")] == [
        "1e-3",
        1500.0,
        "e3",
        8080,
    ]


def test_anchors_and_merge_keys_are_followed() -> None:
    document = parse_document(
        text("""
        base: &base { type: minimize, goal: 1 }
        kind: Experiment
        spec:
          objective:
            <<: *base
            goal: 2
        """)
    )
    assert document.get("spec", "objective") == {"type": "minimize", "goal": 2}
    assert document.position(("spec", "objective", "type")) == (1, 15)


@pytest.mark.parametrize("content", [None, b"kind: \xff\n"], ids=["absent", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "experiment.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidExperiment) as refused:
        read_document(path)
    assert str(path) in str(refused.value)
    assert refused.value.hint
