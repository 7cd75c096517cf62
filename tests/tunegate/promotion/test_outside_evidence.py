"""A program hands the gate its evidence: the folds it gets, what is refused, and who serves."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.promotion.gate_cases import check_detail, failed_checks
from support.promotion.promotions import promoting_verdict
from support.registry import toy_data as toy

import tunegate as tg
from api.problems import Problem
from api.routes.dependencies import require_served
from api.serving.follower import Follower
from api.serving.served import Slot
from katib.experiment import read_experiment
from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from promote.recipes import SEARCH_SEEDS
from registry.errors import PackageError
from registry.package import ModelPackage, load_package
from trainer.dataset import Dataset, load_dataset
from trainer.folds import cross_validation_folds
from tunegate.errors import UsageError
from tunegate.promotion.candidates import current_champion
from tunegate.promotion.evaluation import make_evaluation
from tunegate.promotion.folds_file import write_folds
from tunegate.promotion.outside_evidence import keep_evidence
from tunegate.search.local import first_parameters
from tunegate.settings import Settings
from tunegate.shipped import shipped_experiment
from tunegate.study.candidacy import Candidacy
from tunegate.workspace import Workspace

EXAMPLE = Path(__file__).parents[3] / "examples" / "outside" / "mlp.py"
POLICY = GatePolicy(repeats=1, folds=3)
Documents = dict[str, Any]


def workspace(folder: Path, data: str = "diabetes") -> Workspace:
    return Workspace(Settings(state=folder / "state", data=data, gate=POLICY, cpus=1))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with folds.json, and evidence.json as the example's program writes it."""
    folder = tmp_path_factory.mktemp("outside")
    write_folds(folder / "folds.json", load_dataset("diabetes"), POLICY)
    command = [sys.executable, EXAMPLE, folder / "folds.json", folder / "evidence.json"]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def evidence(files: Path) -> Documents:
    """What the example's program has written."""
    found: Documents = json.loads((files / "evidence.json").read_bytes())
    return found


def changed(folder: Path, evidence: Documents, change: Callable[[Documents], object]) -> Path:
    """Write the evidence with a change."""
    copy = json.loads(json.dumps(evidence))
    change(copy)
    path = folder / "changed.json"
    path.write_text(json.dumps(copy))
    return path


def test_the_folds_are_the_gates_and_no_holdout_row_shows_its_target(files: Path) -> None:
    given = json.loads((files / "folds.json").read_bytes())
    data = load_dataset("diabetes")
    rows = [row for row in given["rows"] if row["_part"] == "training"]
    folds = cross_validation_folds(data, n=3, seed=SEARCH_SEEDS)
    for number, fold in enumerate(folds):
        assert [place for place, row in enumerate(rows) if row["_fold_0"] == number] == sorted(
            fold.test.tolist()
        )
    assert [row[given["target"]] for row in rows] == data.training.y.tolist()
    held = [row for row in given["rows"] if row["_part"] == "holdout"]
    assert len(held) == len(data.holdout.y)
    assert {row[given["target"]] for row in held} == {row["_fold_0"] for row in held} == {None}


def test_the_example_is_promoted_by_digest_and_served_elsewhere(
    files: Path, tmp_path: Path
) -> None:
    opened = workspace(tmp_path)
    trial = keep_evidence(opened, files / "evidence.json")
    # No service answers there: it must not be asked, as it could not answer for this model.
    decision = Candidacy.find(opened, trial=trial).promote(url="http://127.0.0.1:9")
    assert decision.verdict.verdict == "promote", decision.verdict.reasons
    assert decision.verdict.candidate is not None
    assert decision.verdict.candidate.algorithm == "sklearn_mlp"
    assert decision.after is not None
    assert decision.after.outcome is not None
    assert decision.after.outcome.note == "not smoke-tested: it is served elsewhere"
    package = opened.store.open(decision.after.promotion.sha256)
    with pytest.raises(PackageError, match="holds evidence, and no model"):
        package.predict({})
    assert (
        first_parameters(opened, read_experiment(shipped_experiment()))["model"] == "random_forest"
    )

    slot = Slot()
    follower = Follower(opened.store, "diabetes", slot)
    follower.look()
    words = "promotion 1: sklearn_mlp 2026-12-01 of diabetes is served elsewhere at http://mlp"
    with pytest.raises(Problem, match=words):
        require_served(slot)
    _check_challenger(package, tmp_path)


def test_python_writes_the_folds_and_judges_the_evidence(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunegate.toml").write_text("cpus = 1\n[gate]\nrepeats = 1\nfolds = 3\n")
    tg.write_gate_folds("diabetes", "folds.json")
    assert (tmp_path / "folds.json").read_bytes() == (files / "folds.json").read_bytes()
    verdict = tg.judge_evidence("diabetes", files / "evidence.json", state=tmp_path / "state")
    assert verdict.verdict == "promote"
    assert verdict.candidate is not None
    assert (tmp_path / "state").is_dir()
    assert verdict.candidate.algorithm == "sklearn_mlp"


def _check_challenger(champion: ModelPackage, folder: Path) -> None:
    """A package is judged against the evidence of what is in production, on the same rows."""
    data = load_dataset("diabetes")
    view = make_evaluation(data, cpus=1)
    poor = toy.package(data, folder / "poor", {"n_estimators": 3, "max_depth": 1})
    verdict = judge(GateInput(poor, champion, view), POLICY)
    assert verdict.verdict == "keep"
    assert verdict.recipe is not None
    assert verdict.holdout is not None
    assert verdict.recipe.rows == len(data.training.y)
    assert verdict.recipe.p_better < 0.5
    other_folds = judge(GateInput(poor, champion, view), GatePolicy(repeats=1, folds=4))
    assert other_folds.verdict == "refuse"
    assert "evidence is for other folds: `tunegate gate --folds`" in other_folds.reasons[0]


def test_parquet_says_the_same_as_json(files: Path, evidence: Documents, tmp_path: Path) -> None:
    write_folds(tmp_path / "folds.parquet", load_dataset("diabetes"), POLICY)
    folds = pd.read_parquet(tmp_path / "folds.parquet")
    given = pd.DataFrame(json.loads((files / "folds.json").read_bytes())["rows"])
    pd.testing.assert_frame_equal(folds, given, check_dtype=False)
    table = pd.DataFrame(evidence["predictions"]).assign(
        _model=evidence["model"], _version=evidence["version"], _served_at=evidence["served_at"]
    )
    table.to_parquet(tmp_path / "evidence.parquet")
    opened = workspace(tmp_path)
    trials = [
        keep_evidence(opened, path)
        for path in (files / "evidence.json", tmp_path / "evidence.parquet")
    ]
    assert trials[0] == trials[1]
    found = load_package(opened.store.trial(trials[0]))
    assert found.outside is not None
    assert found.manifest.cross_validation.score == pytest.approx(3100, rel=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e["predictions"].pop(0), "no prediction for 1 rows of repetition 0, such as"),
        (lambda e: e["predictions"].pop(), "no prediction for 1 rows of the holdout, such as"),
        (lambda e: e["predictions"][0].update(_fold=7), "fold 7, but the gate has"),
        (lambda e: e["predictions"][0].update(_row="00"), "the gate has no such row"),
        (lambda e: e["predictions"][3].update(prediction=None), "is not a finite number"),
        (lambda e: e["predictions"][3].update(prediction="high"), "could not convert"),
        (lambda e: e.update(format="x"), "format 'x', expected 'tunegate-evidence/1'"),
        (lambda e: e.update(model="MLP 1"), "model 'MLP 1': lower-case letters"),
        (lambda e: e.pop("version"), "not a file of evidence: KeyError"),
        (lambda e: e.update(predictions=[]), "no column _row"),
    ],
)
def test_evidence_that_does_not_fit_is_refused_with_its_place(
    evidence: Documents, tmp_path: Path, change: Callable[[Documents], object], words: str
) -> None:
    path = changed(tmp_path, evidence, change)
    with pytest.raises(UsageError, match=r"changed\.json") as caught:
        keep_evidence(workspace(tmp_path), path)
    assert words in str(caught.value)
    assert "docs/models.md" in str(caught.value.hint)


def thrown(folder: Path, data: Dataset) -> Documents:
    """Return evidence of a model that throws dice, for the gate's folds of a classification."""
    write_folds(folder / "folds.json", data, POLICY)
    given = json.loads((folder / "folds.json").read_bytes())
    rng = np.random.default_rng(1)
    records = []
    for row in given["rows"]:
        held = row["_part"] == "holdout"
        place = {"_row": row["_row"], "_repetition": None if held else 0, "_fold": row["_fold_0"]}
        shares = rng.dirichlet(np.ones(3)).tolist()
        records.append(place | dict(zip(map(str, given["classes"]), shares, strict=True)))
    return {
        "format": "tunegate-evidence/1",
        "model": "dice",
        "version": "1",
        "predictions": records,
    }


def unchanged(_: Documents) -> None:
    """Change nothing."""


def test_class_shares_are_columns_of_the_classes_and_add_up_to_one(tmp_path: Path) -> None:
    data = load_dataset("iris")
    document = thrown(tmp_path, data)
    opened = workspace(tmp_path, "iris")
    trial = keep_evidence(opened, changed(tmp_path, document, unchanged))
    found = load_package(opened.store.trial(trial))
    verdict = judge(GateInput(found, None, make_evaluation(data, cpus=1)), POLICY)
    assert verdict.verdict == "refuse"
    assert any(reason.startswith("trivial baseline") for reason in verdict.reasons)
    document["predictions"][0][str(data.classes[0])] += 0.5
    with pytest.raises(UsageError, match="do not add up to 1"):
        keep_evidence(opened, changed(tmp_path, document, unchanged))


def test_new_evidence_of_the_champion_stands_for_it_when_the_data_have_changed(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame({"x": np.arange(300) / 7, "kind": list("abc") * 100})
    frame[:250].to_csv(tmp_path / "kinds.csv", index=False)
    spec = tmp_path / "kinds.toml"
    spec.write_text(
        'name = "kinds"\nsource = "kinds.csv"\ntarget = "kind"\ntask = "classification"\n'
    )
    opened = workspace(tmp_path, str(spec))
    path = changed(tmp_path, thrown(tmp_path, load_dataset(str(spec))), unchanged)
    champion = load_package(opened.store.trial(keep_evidence(opened, path)))
    opened.promoter().promote(champion, promoting_verdict(champion, None))

    frame.to_csv(tmp_path / "kinds.csv", index=False)
    data = load_dataset(str(spec))
    with pytest.raises(UsageError, match=r"fold|no prediction for"):
        keep_evidence(opened, path)
    view = make_evaluation(data, cpus=1)
    stale = current_champion(opened, data.fingerprint)
    assert isinstance(stale, ModelPackage)
    candidate = toy.package(data, tmp_path / "candidate", {"n_estimators": 3})
    verdict = judge(GateInput(candidate, stale, view), POLICY)
    assert "its evidence is for other data" in check_detail(verdict, "champion scorable")

    keep_evidence(opened, changed(tmp_path, thrown(tmp_path, data), unchanged))
    current = current_champion(opened, data.fingerprint)
    assert isinstance(current, ModelPackage)
    assert current.digest == champion.digest
    verdict = judge(GateInput(candidate, current, view), POLICY)
    assert "champion scorable" not in failed_checks(verdict)
    assert verdict.recipe is not None
