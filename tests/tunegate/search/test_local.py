"""Runs on this machine: what is kept, what goes, and what the first trial takes after."""

from pathlib import Path

import pytest
import yaml

from katib.experiment import read_experiment
from tunegate.search.local import first_parameters, interrupted_run, tune_locally
from tunegate.settings import Settings
from tunegate.shipped import shipped_experiment
from tunegate.workspace import Workspace

WRITE = "mkdir -p /models/trials/$KATIB_TRIAL_NAME && echo mse=${trialParameters.x}"


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """An Experiment whose trials leave a folder in the store, as the trainer does."""
    container = {
        "name": "main",
        "image": "any",
        "command": ["sh", "-c", WRITE],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "tunegate-models"}}],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
    space = {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "1", "max": "2"}}
    document = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "tiny"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "mse"},
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 1,
            "maxTrialCount": 2,
            "parameters": [space],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": job,
            },
        },
    }
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_old_runs_go_with_their_trials_packages(experiment: Path, tmp_path: Path) -> None:
    workspace = Workspace(Settings(state=tmp_path / "state", keep_runs=2))
    by_hand = workspace.store.trial("by-hand")
    by_hand.mkdir(parents=True)
    results = [tune_locally(workspace, read_experiment(experiment)) for _ in range(3)]
    assert [result.folder.exists() for result in results] == [False, True, True]
    left = {path.name for path in (workspace.store.root / "trials").iterdir()}
    kept = {trial["metadata"]["name"] for result in results[1:] for trial in result.trials}
    assert left == {"by-hand", *kept}


def test_nothing_is_unfinished_after_an_end(experiment: Path, tmp_path: Path) -> None:
    workspace = Workspace(Settings(state=tmp_path / "state"))
    read = read_experiment(experiment)
    assert interrupted_run(workspace, read) is None
    result = tune_locally(workspace, read)
    assert interrupted_run(workspace, read) is None
    (result.folder / "experiment.json").unlink()
    assert interrupted_run(workspace, read) == result.folder


def test_the_first_trial_takes_the_librarys_defaults_where_nothing_is_in_production(
    tmp_path: Path,
) -> None:
    first = first_parameters(
        Workspace(Settings(state=tmp_path)), read_experiment(shipped_experiment())
    )
    assert first["max_features"] == 1.0
    assert first["max_depth"] is None
    assert first["criterion"] == "squared_error"


def test_the_first_trial_takes_the_defaults_of_the_experiments_own_learner(tmp_path: Path) -> None:
    document = yaml.safe_load(shipped_experiment().read_text())
    pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"].append("--model=ridge")
    (tmp_path / "ridge.yaml").write_text(yaml.safe_dump(document))
    experiment = read_experiment(tmp_path / "ridge.yaml")
    assert first_parameters(Workspace(Settings(state=tmp_path)), experiment) == {
        "alpha": 1.0,
        "ridge_alpha": 1.0,
        "scale": "all",
        "ridge_scale": "all",
        "model": "ridge",
    }
