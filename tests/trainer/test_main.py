"""`python -m trainer` as a container runs it: metric lines, exit codes, errors with hints."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.registry.volumes import largest_file, read_only, tiny_volume

from registry.package import load_package
from trainer.__main__ import main
from trainer.hyperparameters import hyperparameter_help
from trainer.learners import LEARNERS

Write = Callable[..., str]
Capture = pytest.CaptureFixture[str]
REFUSALS = "(No space left on device|Read-only file system|Permission denied|File too large)"
FEW = ["--n-estimators", "5", "--folds", "2"]


def failed_trial(capsys: Capture, *argv: str, code: int = 2) -> str:
    """Run a trial that must fail: no metric, no trace, an error and perhaps a hint."""
    assert main([*argv, "--n-estimators", "5"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"error: .+\n(hint: .+\n)?", printed.err)
    return printed.err


def usage(capsys: Capture, *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(argv))
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(params=["full", "read-only", "limited"])
def poor_volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Make a folder that takes no package."""
    volume = tmp_path / "volume"
    if request.param == "full":
        with tiny_volume(volume, kilobytes=64):
            yield volume
        return
    volume.mkdir()
    with read_only(volume) if request.param == "read-only" else largest_file(32_000):
        yield volume


def test_metrics_are_all_of_stdout_and_the_package_is_there(
    tmp_path: Path, capsys: Capture
) -> None:
    assert main(["--data", "boston", *FEW, "--output", str(tmp_path / "package")]) == 0
    printed = capsys.readouterr()
    names = ["mse", "mae", "rmse", "mape", "rmsle", "r2"]
    assert re.fullmatch("".join(rf"{name}=\d+\.\d+\n" for name in names), printed.out)
    package = load_package(tmp_path / "package")
    assert printed.err == f"model package {package.digest[:12]} written to {tmp_path / 'package'}\n"
    assert printed.out.startswith(f"mse={package.manifest.cross_validation.score!r}\n")


def test_a_forest_says_its_out_of_bag_score(tmp_path: Path, capsys: Capture) -> None:
    words = ["--data", "boston", "--n-estimators=40", "--folds=2", "--no-importances"]
    assert main([*words, "--output", str(tmp_path / "package")]) == 0
    score = load_package(tmp_path / "package").manifest.out_of_bag
    assert f"out of bag: mse {score:.6g}\n" in capsys.readouterr().err


def test_without_an_output_only_metrics_are_made(capsys: Capture) -> None:
    assert main(["--data", "iris", *FEW]) == 0
    printed = capsys.readouterr()
    assert re.findall(r"^(\w+)=\d+\.\d+$", printed.out, re.MULTILINE) == [
        *("log_loss", "brier", "accuracy", "balanced_accuracy"),
        *("f1", "auc", "average_precision"),
    ]
    assert printed.err == ""


def test_a_metric_that_is_undefined_is_left_out_and_said(
    write: Write, table: pd.DataFrame, capsys: Capture
) -> None:
    assert (
        main(
            [
                "--data",
                write(table.assign(y=table["y"].where(table["id"] > 60, 0)), drop=["id"]),
                *FEW,
            ]
        )
        == 0
    )
    printed = capsys.readouterr()
    assert "mape=" not in printed.out
    assert "nan" not in printed.out
    assert printed.err == "note: undefined for these rows, and left out: mape, rmsle\n"


def test_importances_are_in_the_package_unless_they_are_not_wanted(tmp_path: Path) -> None:
    assert main(["--data", "boston", *FEW, "--output", str(tmp_path / "with")]) == 0
    quick = ["--data", "boston", *FEW, "--no-importances", "--output", str(tmp_path / "without")]
    assert main(quick) == 0
    found = load_package(tmp_path / "with").manifest.importances
    assert {each.column for each in found[:2]} == {"LSTAT", "RM"}
    assert len(found) == 12
    assert load_package(tmp_path / "without").manifest.importances == ()


def test_flags_reach_the_package(tmp_path: Path) -> None:
    flags = [
        "--include",
        "B",
        "--seed",
        "7",
        "--fold-seed",
        "3",
        "--max-depth",
        "2.6",
        "--max-features",
        "0.5",
    ]
    assert (
        main(
            [
                "--data",
                "boston",
                *FEW,
                *flags,
                "--n-jobs",
                "2",
                "--output",
                str(tmp_path / "package"),
            ]
        )
        == 0
    )
    manifest = load_package(tmp_path / "package").manifest
    assert (
        manifest.seed,
        manifest.cross_validation.seed,
        len(manifest.cross_validation.folds),
    ) == (7, 3, 2)
    assert (manifest.parameters["max_depth"], manifest.parameters["max_features"]) == (3, 0.5)
    assert manifest.ignored == ()


@pytest.mark.parametrize("flag", ["--seed", "--fold-seed"])
def test_a_seed_decides_the_scores(capsys: Capture, flag: str) -> None:
    outputs = []
    for seed in ("1", "1", "2"):
        main(["--data", "iris", *FEW, flag, seed])
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]


def test_xgboost_is_one_flag_away(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("xgboost")
    flags = ["--model", "xgboost", "--learning-rate", "0.1"]
    assert main(["--data", "boston", *FEW, *flags, "--output", str(tmp_path / "package")]) == 0
    assert capsys.readouterr().out.startswith("mse=")
    manifest = load_package(tmp_path / "package").manifest
    assert (manifest.algorithm, manifest.parameters["learning_rate"]) == ("xgboost", 0.1)


def test_a_volume_that_takes_no_package_prints_no_metric_and_keeps_no_rest(
    poor_volume: Path, capsys: Capture
) -> None:
    target = poor_volume / "package"
    error = failed_trial(capsys, "--data", "boston", "--output", str(target), code=1)
    assert re.match(rf"error: cannot write {re.escape(str(target))}: {REFUSALS}\n", error)
    assert "free some space or make the folder writable" in error
    assert list(poor_volume.iterdir()) == []


def test_a_folder_that_cannot_be_made_prints_no_metric(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").touch()
    error = failed_trial(
        capsys, "--data", "boston", "--output", str(tmp_path / "file" / "package"), code=1
    )
    assert f"cannot write {tmp_path / 'file' / 'package'}: " in error


def test_a_failed_trial_leaves_the_package_that_was_there(
    tmp_path: Path, capsys: Capture, write: Write
) -> None:
    argv = ["--data", "boston", *FEW, "--output", str(tmp_path / "package")]
    main(argv)
    digest = load_package(tmp_path / "package").digest
    assert main([*argv, "--max-depth", "0"]) == 2
    assert load_package(tmp_path / "package").digest == digest


def test_unusable_data_is_an_error_and_a_hint(
    write: Write, table: pd.DataFrame, capsys: Capture
) -> None:
    error = failed_trial(capsys, "--data", write(table, target="price"))
    assert error == "error: table.csv: no column price\nhint: columns: id, a, b, y\n"


def test_targets_whose_squares_overflow_are_not_reported(
    write: Write, table: pd.DataFrame, capsys: Capture
) -> None:
    assert "is too large" in failed_trial(
        capsys, "--data", write(table.assign(y=table["y"] * 1e200), drop=["id"])
    )


def test_values_that_only_a_float64_holds_are_named(
    write: Write, table: pd.DataFrame, capsys: Capture
) -> None:
    wide = table.assign(a=table["a"].where(table["id"] != 5, 1e39))
    assert "column a: line 7 says '1e+39', which is too large for float32" in failed_trial(
        capsys, "--data", write(wide)
    )


def test_more_folds_than_rows_of_any_class_are_refused(
    write: Write, table: pd.DataFrame, capsys: Capture
) -> None:
    path = write(table.assign(y=table["id"] % 8), task="classification", drop=["id"])
    assert "20 folds are too many" in failed_trial(capsys, "--data", path, "--folds", "20")


def test_a_name_to_include_that_is_not_dropped_is_refused(capsys: Capture) -> None:
    assert "cannot include ZN: not a dropped column" in failed_trial(
        capsys, "--data", "boston", "--include", "ZN"
    )


def test_a_wrong_hyperparameter_is_named_with_its_range(capsys: Capture) -> None:
    error = failed_trial(capsys, "--data", "boston", "--max-depth", "-5", "--subsample", "0.5")
    assert "--max-depth: '-5' is not allowed: an integer from 1 to 1000, or none" in error
    assert "--subsample: not a parameter of random_forest" in error


def test_a_criterion_that_does_not_fit_the_data_is_refused(
    write: Write, table: pd.DataFrame, capsys: Capture
) -> None:
    path = write(table, drop=["id"])
    error = failed_trial(capsys, "--data", path, "--criterion", "poisson")
    assert "--criterion: poisson needs a target that is never negative" in error
    assert "--criterion: gini is not for regression" in failed_trial(
        capsys, "--data", "boston", "--criterion", "gini"
    )


@pytest.mark.parametrize(
    ("flag", "low", "high"),
    [("--folds", 2, 20), ("--seed", 0, 2**32 - 1), ("--fold-seed", 0, 999), ("--n-jobs", 1, 1024)],
)
def test_an_integer_flag_says_its_range(capsys: Capture, flag: str, low: int, high: int) -> None:
    for text in (str(low - 1), str(high + 1), "3.7", "many", "", "²", "1_0", " 5"):
        error = usage(capsys, "--data", "boston", flag, text)
        assert error.endswith(f"argument {flag}: {text!r} is not an integer from {low} to {high}\n")


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        ([], "required: --data"),
        (["--data", "boston", "--model", "svm"], "choose from"),
        (["--data", "boston", "--trees", "5"], "unrecognized arguments: --trees 5"),
    ],
)
def test_a_wrong_flag_exits_with_2(capsys: Capture, argv: list[str], what: str) -> None:
    assert what in usage(capsys, *argv)


def test_help_names_every_flag_with_its_range_and_the_data_sets(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "boston, boston_published, breast_cancer" in text
    for algorithm, learner in LEARNERS.items():
        assert f"{algorithm} ({learner.words}" in text
        for name in learner.parameters.model_fields:
            assert f"--{name.replace('_', '-')} VALUE" in text
    assert all(allowed in text for allowed in hyperparameter_help().values())


def test_what_is_of_another_model_is_ignored_and_said(capsys: Capture) -> None:
    flags = ["--hist-gradient-boosting-max-iter=5", "--random-forest-max-depth=3"]
    model = ["--model", "hist_gradient_boosting"]
    assert main(["--data", "boston", "--folds", "2", *model, *flags]) == 0
    said = capsys.readouterr().err
    assert said == "note: --model hist_gradient_boosting: ignored what is of random_forest\n"
