"""The examples are what docs/clients.md says of them, and run."""

import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_iris
from support.cli import ROOT, tunegate
from support.serving.code_blocks import block

from registry.package import load_package
from trainer.dataset import load_dataset

EXAMPLES = ROOT / "examples"
EXPERIMENT = EXAMPLES / "iris-experiment.yaml"
PAGE = ROOT / "docs" / "clients.md"


def test_the_iris_table_is_scikit_learns_and_its_target_a_number() -> None:
    table = pd.read_csv(EXAMPLES / "iris.csv")
    pd.testing.assert_frame_equal(table, load_iris(as_frame=True).frame)


def test_the_spec_shown_is_the_one_shipped() -> None:
    assert tomllib.loads(block(PAGE, "toml", 0)) == tomllib.loads(
        (EXAMPLES / "iris.toml").read_text()
    )


@pytest.mark.parametrize(
    "experiment",
    [
        EXPERIMENT,
        EXAMPLES / "titanic" / "experiment.yaml",
        EXAMPLES / "breast-cancer-models-experiment.yaml",
        EXAMPLES / "boston-models-experiment.yaml",
    ],
)
def test_lint_finds_nothing_in_an_experiment(experiment: Path) -> None:
    done = tunegate("lint", experiment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing to fix" in done.stdout + done.stderr


def test_the_iris_experiment_is_searched_and_gated_by_log_loss_and_tells_the_accuracy(
    tmp_path: Path,
) -> None:
    """Four trials, by the file as shipped otherwise."""
    document = yaml.safe_load(EXPERIMENT.read_text())
    document["spec"] |= {"maxTrialCount": 4}
    experiment = tmp_path / "experiment.yaml"
    state = tmp_path / "state"
    experiment.write_text(yaml.safe_dump(document))
    data = ("--data", EXAMPLES / "iris.toml")
    done = tunegate("run", experiment, *data, "--state", state, "--no-serve", "--json", cwd=ROOT)
    verdict = json.loads(done.stdout)
    assert (done.returncode, verdict["verdict"], verdict["metric"]) == (0, "promote", "log_loss"), (
        done.stderr
    )
    trials = json.loads(next(state.glob("experiments/*/*/trials.json")).read_bytes())["items"]
    for trial in trials:
        loss, accuracy = trial["status"]["observation"]["metrics"]
        assert (loss["name"], accuracy["name"]) == ("log_loss", "accuracy")
        assert 0 < float(loss["latest"]) < 35
        assert 0.8 < float(accuracy["latest"]) <= 1
    assert (
        verdict["candidate"]["trial"]
        == min(verdict["finalists"], key=lambda each: each["loss"])["trial"]
    )


def test_the_iris_experiment_runs_and_its_model_answers_kserves_example(tmp_path: Path) -> None:
    """Two trials of ten trees, by the file as shipped otherwise."""
    text = EXPERIMENT.read_text().replace("--n-estimators=100", "--n-estimators=10")
    document = yaml.safe_load(text)
    document["spec"] |= {"maxTrialCount": 2}
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(yaml.safe_dump(document))
    done = tunegate(
        "tune",
        experiment,
        "--data",
        EXAMPLES / "iris.toml",
        "--state",
        tmp_path / "state",
        "--json",
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    packages = sorted((tmp_path / "state" / "store" / "trials").iterdir())
    assert len(packages) == 2
    asked = json.loads(block(PAGE, "sh", 0).split("-d '")[1].split("'")[0])["instances"]
    package = load_package(packages[0])
    names = [column.name for column in package.manifest.columns]
    shares = package.predict(dict(zip(names, zip(*asked, strict=True), strict=True)))
    classes = [package.manifest.classes[i] for i in shares.argmax(axis=1)]
    assert classes == json.loads(block(PAGE, "json", 0))["predictions"] == [1, 1]


def test_the_titanics_card_says_what_its_table_is() -> None:
    """Texts, gaps and many categories are learned from; the card's counts are the table's."""
    folder = EXAMPLES / "titanic"
    table = pd.read_csv(folder / "titanic.csv")
    dataset = load_dataset(str(folder / "titanic.toml"))
    kinds = {column.name: column.kind for column in dataset.columns}
    assert kinds["Name"] == "text"
    assert kinds["Cabin"] == kinds["Ticket"] == kinds["Sex"] == "categorical"
    card = (folder / "README.md").read_text()
    for count in (
        f"{len(table)} passengers, of whom {table['Survived'].sum()} survived",
        f"`Age` ({table['Age'].isna().sum()} gaps)",
        f"`Cabin` ({table['Cabin'].isna().sum()} gaps, {table['Cabin'].nunique()} different)",
        f"`Ticket` ({table['Ticket'].nunique()} different)",
        f"on {len(dataset.training.y)} rows; the other {len(dataset.holdout.y)} are the holdout",
    ):
        assert count in card
