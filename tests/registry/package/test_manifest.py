from typing import Any

import pytest
from support.registry.packages import COLUMNS, manifest

from registry.package import Manifest
from registry.record import InvalidRecord

FILES = {"model.npz": "a" * 64}
INTERVAL = {"coverage": 0.9, "half_width": 2.5, "measured": 0.88}


def parse_manifest(**changes: Any) -> Manifest:  # noqa: ANN401 - a manifest's fields
    return Manifest.checked({**manifest(), "files": FILES, **changes})


def test_it_round_trips_through_json() -> None:
    assert Manifest.parse(parse_manifest().to_json()) == parse_manifest()


def test_the_width_counts_one_feature_a_category() -> None:
    assert parse_manifest().width == 4


def test_a_regression_has_one_output_and_a_classification_one_a_class() -> None:
    assert parse_manifest().n_outputs == 1
    assert (
        parse_manifest(task="classification", metric="log_loss", classes=("a", "b", "c")).n_outputs
        == 3
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "log_loss"}, "metric log_loss does not fit a regression"),
        ({"metric": "profit"}, "metric profit does not fit"),
        ({"classes": ("a", "b")}, "classes are for classification"),
        (
            {"task": "classification", "metric": "brier"},
            "classes are for classification, and needed there",
        ),
        ({"columns": COLUMNS + COLUMNS[:1]}, "two columns share a name"),
        (
            {
                "task": "classification",
                "metric": "brier",
                "classes": ("a", "b"),
                "interval": INTERVAL,
            },
            "an interval is for a regression",
        ),
        ({"reference": ({"column": "rooms", "counts": (1, 1, 1)},)}, "does not fit a column rooms"),
        ({"reference": ({"column": "attic", "counts": (1, 1)},)}, "does not fit a column attic"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRecord, match=message):
        parse_manifest(**changes)


@pytest.mark.parametrize(
    "name", ["", "../houses", "Houses", "-houses", "houses\n", "h" * 64, "a/b", "häuser"]
)
def test_a_name_that_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRecord, match="name"):
        parse_manifest(name=name)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"format": 4}, id="a later format"),
        pytest.param({"columns": ()}, id="no columns"),
        pytest.param({"training_rows": 0}, id="no rows"),
        pytest.param({"fingerprint": "f" * 63}, id="a short digest"),
        pytest.param({"holdout": "F" * 64}, id="a digest in capitals"),
        pytest.param({"files": {"model.npz": "a" * 64 + "\n"}}, id="a digest and a line break"),
        pytest.param({"target_range": (0.0, float("inf"))}, id="an infinite range"),
        pytest.param({"parameters": {"depth": [1]}}, id="a parameter that is no scalar"),
        pytest.param({"parameters": {"depth": float("nan")}}, id="a parameter that is no number"),
        pytest.param({"algorithm": "Forest!"}, id="an algorithm that is no name"),
        pytest.param({"command": "rm"}, id="an unknown field"),
        pytest.param({"output": {"link": "exec"}}, id="an unknown link"),
        pytest.param({"interval": {**INTERVAL, "half_width": -1.0}}, id="an interval inside out"),
        pytest.param(
            {"interval": {**INTERVAL, "half_width": float("inf")}}, id="an infinite interval"
        ),
        pytest.param(
            {"interval": {**INTERVAL, "coverage": 1.0}}, id="an interval that holds everything"
        ),
        pytest.param({"interval": {**INTERVAL, "method": "guess"}}, id="an unknown method"),
        pytest.param({"output": {"base": (float("nan"),)}}, id="a base that is no number"),
    ],
)
def test_a_manifest_of_another_format_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        parse_manifest(**changes)


def test_a_manifest_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        parse_manifest().seed = 8


@pytest.mark.parametrize("name", ["model_version", "probabilities", "interval"])
def test_a_prediction_is_not_named_as_another_field_of_an_answer(name: str) -> None:
    with pytest.raises(InvalidRecord, match="name the prediction otherwise"):
        Manifest.checked({**manifest(), "prediction": name, "files": {}})
