"""Selectors, patches and durations, as Kubernetes and the RFCs define them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.endpoint.patches import JSON_PATCH, MERGE, apply_patch
from katib.endpoint.refusals import Refusal
from katib.endpoint.selectors import matches
from katib.endpoint.tables import short_duration

ITEM: dict[str, Any] = {
    "metadata": {"name": "one", "labels": {"team": "a", "k8s.io/x": "1"}},
    "status": {"phase": "Running"},
}
PLAIN = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda part: st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=3), PLAIN, max_size=4)


@pytest.mark.parametrize(
    ("labels", "fields", "found"),
    [
        ("", "", True),
        ("team=a,k8s.io/x==1", "", True),
        ("team!=a", "", False),
        ("team in (a, b),!other", "", True),
        ("team notin (a,b)", "", False),
        ("missing", "", False),
        ("missing!=any", "", True),
        ("", "metadata.name=one", True),
        ("", "metadata.name=two", False),
        ("", "status.phase!=Pending", True),
        ("", "spec.none=1", False),
    ],
)
def test_selectors_select_as_kubernetes_does(labels: str, fields: str, *, found: bool) -> None:
    assert matches(ITEM, labels, fields) is found


def test_a_selector_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refusal):
        matches(ITEM, "team in a", "")


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_merges(
    value: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]
) -> None:
    assert apply_patch(value, patch, MERGE) == result


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_twice_is_the_same_as_once(
    value: dict[str, Any], patch: dict[str, Any]
) -> None:
    once = apply_patch(value, patch, MERGE)
    assert apply_patch(once, patch, MERGE) == once


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2]}),
        ([{"op": "remove", "path": "/a/1"}], {"a": [1]}),
        ([{"op": "add", "path": "/b~1c", "value": {}}], {"a": [1, 2], "b/c": {}}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
    ],
)
def test_a_json_patch_changes_in_order(
    operations: list[dict[str, Any]], result: dict[str, Any]
) -> None:
    value = {"a": [1, 2]}
    assert apply_patch(value, operations, JSON_PATCH) == result
    assert value == {"a": [1, 2]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "remove", "path": "/a/7"},
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "move", "path": "/a", "from": "/b"},
        {"op": "add", "value": 1},
        {"op": "add", "path": "", "value": 1},
        "add",
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: Any) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(Refusal):
        apply_patch({"a": [1, 2]}, [operation], JSON_PATCH)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (119, "119s"),
        (192, "3m12s"),
        (600, "10m"),
        (3 * 3600 + 60, "3h1m"),
        (26 * 3600, "1d2h"),
        (30 * 86400, "30d"),
    ],
)
def test_durations_are_short(seconds: int, text: str) -> None:
    assert short_duration(seconds) == text
