"""The data set spec: which are built in, what is filled in, and that every wrong field is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer import DataError, builtin_names, load_spec

Write = Callable[..., str]


def spec_error(name: str) -> DataError:
    with pytest.raises(DataError) as caught:
        load_spec(name)
    return caught.value


def test_six_data_sets_are_built_in_and_their_specs_are_valid() -> None:
    assert builtin_names() == [
        "boston",
        "boston_published",
        "breast_cancer",
        "diabetes",
        "iris",
        "wine",
    ]
    assert [load_spec(name).name for name in builtin_names()] == builtin_names()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    error = spec_error("titanic")
    assert "'titanic'" in str(error)
    assert "boston, boston_published" in error.hint
    assert ".toml" in error.hint


def test_what_is_left_out_is_filled_in(write: Write) -> None:
    regression = load_spec(write(""))
    classification = load_spec(write("", task="classification"))
    assert (regression.metric, classification.metric) == ("mse", "log_loss")
    assert regression.prediction == "predicted_y"
    assert (regression.split.method, regression.split.holdout, regression.split.seed) == (
        "hash",
        0.2,
        0,
    )


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("regression", "mae"),
        ("classification", "brier"),
        ("classification", "accuracy"),
        ("regression", "mse"),
    ],
)
def test_a_metric_of_the_task_is_taken(write: Write, task: str, metric: str) -> None:
    assert load_spec(write("", task=task, metric=metric)).metric == metric


@pytest.mark.parametrize(
    ("task", "metric", "allowed"),
    [
        ("regression", "accuracy", "mse, mae, rmse, mape, rmsle, r2"),
        (
            "classification",
            "mse",
            "log_loss, brier, accuracy, balanced_accuracy, f1, auc, average_precision",
        ),
    ],
)
def test_a_metric_of_the_other_task_is_refused_with_those_that_fit(
    write: Write, task: str, metric: str, allowed: str
) -> None:
    path = write("", task=task, metric=metric)
    message = str(spec_error(path))
    assert message.startswith(f"{path}: ")
    assert f"metric {metric!r} is not one of {allowed} ({task})" in message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Boston Houses"),
        ("name", ""),
        ("name", "a" * 64),
        ("name", 5),
        ("source", 1),
        ("target", ["y"]),
        ("task", "ranking"),
        ("features", "a"),
        ("drop", "B"),
        ("drop", [1]),
        ("metric", 1),
        ("prediction", False),
        ("notes", 3),
        ("featuers", ["a"]),
        ("folder", "elsewhere"),
    ],
)
def test_a_wrong_field_is_named_with_the_file_and_the_fields_there_are(
    write: Write, field: str, value: object
) -> None:
    path = write("", **{field: value})
    error = spec_error(path)
    assert str(error).startswith(f"{path}: {field}")
    assert error.hint.startswith("fields: name, source, target, task")
    assert "folder" not in error.hint


@pytest.mark.parametrize("field", ["name", "source", "target", "task"])
def test_a_field_that_must_be_there_is_named(write: Write, field: str) -> None:
    path = Path(write(""))
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{field} ")]
    path.write_text("\n".join(kept))
    assert str(spec_error(str(path))) == f"{path}: {field}: is missing"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ('[split]\nmethod = "later"', "split.method"),
        ("[split]\nholdout = 0", "split.holdout"),
        ("[split]\nholdout = 1.0", "split.holdout"),
        ("[split]\nholdout = nan", "split.holdout"),
        ("[split]\nseed = -1", "split.seed"),
        ("[split]\nseed = 4294967296", "split.seed"),
        ("[split]\nseed = 3.7", "split.seed"),
        ('[split]\nby = "id"', "split.by"),
        ('[split]\nmethod = "seeded"\nby = ["id"]', "split"),
        ("[split]\nshare = 0.2", "split.share"),
        ('[columns.a]\ntype = "date"', "columns.a.type"),
        ('[columns]\na = "numeric"', "columns.a"),
    ],
)
def test_a_wrong_field_of_a_table_is_named_with_its_path(
    write: Write, more: str, field: str
) -> None:
    path = write("", more)
    assert str(spec_error(path)).startswith(f"{path}: {field}: ")


def test_every_wrong_field_is_named_at_once(write: Write) -> None:
    message = str(spec_error(write("", task="ranking", drop="B", featuers=[])))
    assert all(f"{field}: " in message for field in ("task", "drop", "featuers"))


def test_a_feature_named_twice_is_refused(write: Write) -> None:
    path = write("", features=["a", "b", "a"])
    error = spec_error(path)
    assert str(error).startswith(path)
    assert "features: a column is named twice" in str(error)


def test_groups_are_refused_with_the_split_that_would_not_keep_them(write: Write) -> None:
    message = str(spec_error(write("", '[split]\nmethod = "seeded"\nby = ["id"]')))
    assert '`by` needs method = "hash"' in message


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"name = 'a'\nname = 'b'"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    assert str(spec_error(str(path))).startswith(f"{path}: not valid TOML: ")


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    assert (
        str(spec_error(str(tmp_path / "none.toml")))
        == f"{tmp_path}/none.toml: No such file or directory"
    )
    assert (
        str(spec_error(str(tmp_path / "folder.toml"))) == f"{tmp_path}/folder.toml: Is a directory"
    )


def test_a_dropped_column_can_be_included() -> None:
    spec = load_spec("boston")
    assert spec.drop == ("B",)
    assert spec.including(("B",)).drop == ()
    assert spec.including(()) == spec


def test_an_included_column_joins_the_features_that_are_listed(write: Write) -> None:
    spec = load_spec(write("", features=["a"], drop=["b", "c"])).including(("b",))
    assert (spec.features, spec.drop) == (("a", "b"), ("c",))


@pytest.mark.parametrize("column", ["CRIM", "MEDV", "nonsense"])
def test_only_a_dropped_column_can_be_included(column: str) -> None:
    with pytest.raises(
        DataError, match=rf"boston: cannot include {column}: not a dropped column"
    ) as caught:
        load_spec("boston").including(("B", column))
    assert caught.value.hint == "dropped columns: B"


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        ('method = "time"\nby = ["day"]', 'write time = "day" in place of method and by'),
        ('method = "time"', "name the column that tells when a row was known"),
        ('time = "day"\nby = ["street"]', "`by` and `time` exclude each other"),
        ('time = "day"\nmethod = "hash"', "`time` states method = \"time\", not 'hash'"),
    ],
)
def test_a_split_by_time_names_its_column(write: Write, split: str, problem: str) -> None:
    assert problem in str(spec_error(write("", f"[split]\n{split}")))


@pytest.mark.parametrize(
    ("task", "given", "meant"),
    [
        ("regression", "rsme", "rmse"),
        ("regression", "R2", "r2"),
        ("classification", "roc_auc", "auc"),
        ("classification", "logloss", "log_loss"),
    ],
)
def test_a_metric_that_is_nearly_right_is_guessed(
    write: Write, task: str, given: str, meant: str
) -> None:
    message = str(spec_error(write("", task=task, metric=given)))
    assert f"; did you mean {meant}?" in message


@pytest.mark.parametrize(
    ("task", "fields", "problem"),
    [
        ("regression", {"class_weight": "balanced"}, 'class_weight is for task = "classification"'),
        (
            "classification",
            {"target_transform": "log1p"},
            'target_transform is for task = "regression"',
        ),
        ("regression", {"weight": "y"}, "weight: y cannot be the target or a feature"),
    ],
)
def test_weights_and_transforms_that_do_not_fit_are_refused(
    write: Write, task: str, fields: dict[str, str], problem: str
) -> None:
    assert problem in str(spec_error(write("", task=task, **fields)))


@pytest.mark.parametrize(
    ("fields", "more", "words"),
    [
        ({"seperator": ";"}, "", "seperator: there is no such field; did you mean read.separator?"),
        ({"featuers": []}, "", "featuers: there is no such field; did you mean features?"),
        ({"zzz": 1}, "", "zzz: there is no such field"),
        ({"task": "binary"}, "", "task: 'binary' is not 'regression' or 'classification'"),
        ({"metric": "nonsense"}, "", "metric 'nonsense' is not one of"),
        ({"name": "My Model"}, "", "name: 'My Model' is not made of lower-case letters"),
        ({"drop": "B"}, "", "drop: 'B' should be a tuple"),
        ({}, "[split]\nholdout = 2", "split.holdout: 2 should be less than 1"),
    ],
)
def test_a_wrong_field_is_explained_in_plain_words(
    write: Write, fields: dict[str, object], more: str, words: str
) -> None:
    path = write("", more, **fields)
    assert str(spec_error(path)).startswith(f"{path}: {words}")
