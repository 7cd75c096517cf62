"""Early stopping with the real trainer, by the piece of YAML that docs/local.md shows."""

import json
from pathlib import Path
from typing import Any

import yaml
from support.cli import ROOT, small_experiment, tunegate
from support.serving.code_blocks import block


def merged(document: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = (
        {key: merged(document[key], more[key]) for key in document.keys() & more.keys()}
        if more
        else {}
    )
    return {**document, **more, **both}


def stopping_experiment(folder: Path) -> Path:
    path = small_experiment(folder, trials=10)
    document = merged(
        yaml.safe_load(path.read_text()),
        yaml.safe_load(block(ROOT / "docs" / "local.md", "yaml", 0)),
    )
    job = document["spec"]["trialTemplate"]["trialSpec"]["spec"]
    job["template"]["spec"]["containers"][0]["command"].append("--report-folds")
    path.write_text(yaml.safe_dump(document))
    return path


def test_what_cannot_win_is_stopped_the_same_again_and_never_the_optimum(tmp_path: Path) -> None:
    experiment = stopping_experiment(tmp_path)
    states = []
    for name in ("one", "two"):
        done = tunegate("tune", experiment, "--state", tmp_path / name, "--json")
        assert done.returncode == 0, done.stderr
        status = json.loads(done.stdout)["status"]
        folder = next((tmp_path / name).glob("experiments/*/0001"))
        trials = {
            t["metadata"]["name"]: t
            for t in json.loads((folder / "trials.json").read_bytes())["items"]
        }
        states.append(
            {name: trial["status"]["conditions"][-1]["type"] for name, trial in trials.items()}
        )
        assert done.stderr.count(", stopped early (best mse ") == status["trialsEarlyStopped"] >= 1
        assert status["currentOptimalTrial"]["bestTrialName"] in status["succeededTrialList"]
        packages = {path.name for path in (tmp_path / name / "store" / "trials").iterdir()}
        assert packages == set(status["succeededTrialList"])
    assert states[0] == states[1]
    assert next(iter(states[0].values())) == "Succeeded"
    best = latest(trials[status["currentOptimalTrial"]["bestTrialName"]])
    assert all(latest(trials[name]) > best for name in status["earlyStoppedTrialList"])


def latest(trial: dict[str, Any]) -> float:
    return float(trial["status"]["observation"]["metrics"][0]["latest"])


def test_lint_says_that_a_cluster_needs_another_rule(tmp_path: Path) -> None:
    done = tunegate("lint", stopping_experiment(tmp_path))
    assert done.returncode == 0
    assert (
        "K255 spec.earlyStopping.algorithmName: Katib does not ship it" in done.stdout + done.stderr
    )
    assert "K256" not in done.stdout + done.stderr
