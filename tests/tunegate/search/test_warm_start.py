"""`--warm-start` through the real command: which trials are learnt from, and remembered."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import small_experiment, tunegate


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with one run."""
    folder = tmp_path_factory.mktemp("before")
    path = small_experiment(folder, trials=8, parallel=4)
    path.write_text(path.read_text().replace("algorithmName: tpe", "algorithmName: tunegate"))
    run_tune(path, folder / "state")
    return folder


@pytest.fixture
def folder(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before, tmp_path / "copy"))


def run_tune(experiment: Path, state: Path, *words: str, code: int = 0) -> str:
    done = tunegate("tune", experiment, "--state", state, "--cpus", "2", *words)
    assert done.returncode == code, done.stderr
    return done.stderr


def last_run(folder: Path) -> Path:
    return max((folder / "state" / "experiments").glob("*/*"))


def earlier_points(folder: Path) -> list[Any]:
    found: list[Any] = json.loads((last_run(folder) / "run.json").read_bytes())["earlier"]
    return found


def points_of(path: Path) -> list[dict[str, str]]:
    items = json.loads((path / "trials.json").read_bytes())["items"]
    return [{a["name"]: a["value"] for a in item["spec"]["parameterAssignments"]} for item in items]


def test_the_next_search_knows_what_the_last_one_has_found(folder: Path) -> None:
    first = last_run(folder)
    said = run_tune(folder / "experiment.yaml", folder / "state", "--warm-start")
    assert f"warm start: {len(points_of(first))} trials of earlier runs" in said
    assert sorted(map(str, points_of(first))) == sorted(
        str(point) for point, _ in earlier_points(folder)
    )


@pytest.mark.parametrize("algorithm", ["tunegate", "tpe", "random"])
def test_no_point_is_tried_again_whatever_the_algorithm(folder: Path, algorithm: str) -> None:
    """The same seed would try the same points, and the defaults are each search's first point."""
    first = last_run(folder)
    path = folder / "experiment.yaml"
    path.write_text(
        path.read_text().replace("algorithmName: tunegate", f"algorithmName: {algorithm}")
    )
    run_tune(path, folder / "state", "--warm-start")
    assert last_run(folder) != first
    assert not [point for point in points_of(last_run(folder)) if point in points_of(first)]


def test_without_it_the_same_seed_gives_the_same_trials(folder: Path) -> None:
    first = last_run(folder)
    assert "warm start" not in run_tune(folder / "experiment.yaml", folder / "state")
    assert points_of(last_run(folder)) == points_of(first)


def test_what_was_learnt_stays_with_the_run_when_it_is_gone_on_with(folder: Path) -> None:
    whole = Path(shutil.copytree(folder, folder.with_name("whole")))
    run_tune(whole / "experiment.yaml", whole / "state", "--warm-start")
    run_tune(folder / "experiment.yaml", folder / "state", "--warm-start", "--time", "0.01")
    run_tune(folder / "experiment.yaml", folder / "state", "--resume")
    assert points_of(last_run(folder)) == points_of(last_run(whole))


def test_models_of_other_data_and_other_trials_teach_nothing(folder: Path) -> None:
    document = yaml.safe_load((folder / "experiment.yaml").read_text())
    document["spec"]["trialTemplate"]["trialSpec"]["spec"]["backoffLimit"] = 3
    (folder / "experiment.yaml").write_text(yaml.safe_dump(document))
    assert "warm start: 0 trials" in run_tune(
        folder / "experiment.yaml", folder / "state", "--warm-start"
    )


def test_a_model_made_from_other_rows_teaches_nothing(folder: Path) -> None:
    manifests = list((folder / "state").glob("**/trials/*/manifest.json"))
    text = manifests[0].read_text()
    fingerprint = json.loads(text)["fingerprint"]
    manifests[0].write_text(text.replace(fingerprint, fingerprint[::-1]))
    said = run_tune(folder / "experiment.yaml", folder / "state", "--warm-start")
    assert f"warm start: {len(manifests) - 1} trials" in said


def test_a_cluster_is_told_otherwise(folder: Path) -> None:
    said = run_tune(
        folder / "experiment.yaml", folder / "state", "--warm-start", "--on", "katib", code=2
    )
    assert "--warm-start is for local runs" in said
    assert "setting `first`" in said
