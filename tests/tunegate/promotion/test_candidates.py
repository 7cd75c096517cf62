"""Which of a search's trials becomes the candidate."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cli import tunegate
from support.katib.trial_objects import scored_trial
from support.promotion.promotions import promoting_verdict
from support.registry import toy_data as toy
from support.registry.package_variants import damaged, flip_bit, variant

from katib.local.run_folder import STATUS, TRIALS
from promote import NoCandidate
from promote.finalists import Contender
from promote.promotion import Promoter
from promote.verdict import Finalist
from registry.errors import PackageError
from registry.metric_names import loss_text
from registry.package import ModelPackage
from tunegate.console import finalists_line
from tunegate.promotion.candidates import find_contenders
from tunegate.settings import load_settings
from tunegate.workspace import Workspace

PROMOTED = 0


@dataclass
class Search:
    """A finished search of five trials: `lucky` is its best, `good` is better, and has a twin."""

    root: Path
    data: str
    packages: dict[str, ModelPackage]

    def workspace(self, **gate: int) -> Workspace:
        return Workspace(load_settings(state=self.root, data=self.data, gate=gate))

    def found(self, **gate: int) -> list[str]:
        """Return the trials of the contenders."""
        found = find_contenders(self.workspace(**gate))
        return [
            each.manifest.provenance.trial if isinstance(each, Contender) else "damaged"
            for each in found
        ]

    def run(self, *words: object, **env: str) -> tuple[int, str, dict[str, object]]:
        done = tunegate(*words, "--state", self.root, "--data", self.data, "--json", env=env)
        return done.returncode, done.stderr, json.loads(done.stdout)

    def promote(self, trial: str) -> None:
        workspace = self.workspace()
        package = self.packages[trial]
        Promoter(workspace.store, workspace.ledger).promote(
            package, promoting_verdict(package, None)
        )


RECIPES = {
    "lucky": (toy.POOR, "1.0"),
    "good": (toy.GOOD, "2.0"),
    "twin": (toy.GOOD, "2.0"),
    "fair": ({"n_estimators": 12, "min_samples_leaf": 20}, "3.0"),
    "weak": ({"n_estimators": 12, "min_samples_leaf": 60}, "4.0"),
}


@pytest.fixture
def search(tmp_path: Path) -> Search:
    data = toy.dataset(tmp_path / "data", toy.homes())
    store = Workspace(
        load_settings(state=tmp_path, data=str(tmp_path / "data" / "spec.toml"))
    ).store
    packages = {
        name: toy.package(data, store.trial(name), recipe) for name, (recipe, _) in RECIPES.items()
    }
    folder = tmp_path / "experiments" / "forest" / "0001"
    folder.mkdir(parents=True)
    items = [scored_trial(name, value) for name, (_, value) in RECIPES.items()]
    (folder / TRIALS).write_text(json.dumps({"items": items}))
    (folder / STATUS).write_text("{}")
    return Search(tmp_path, str(tmp_path / "data" / "spec.toml"), packages)


def test_the_best_trials_contend_best_first_and_no_model_twice(search: Search) -> None:
    assert search.found() == ["lucky", "good", "fair", "weak"]


@pytest.mark.parametrize(
    ("items", "counts"),
    [
        (
            [
                scored_trial("a", "1", state="Failed"),
                scored_trial("b", "1", state="Failed"),
                scored_trial("c", "nan"),
            ],
            r"2 Failed, 1 Succeeded",
        ),
        ([], "no trial"),
    ],
)
def test_without_a_candidate_the_error_counts_the_states_and_says_what_next(
    search: Search, items: list[dict[str, object]], counts: str
) -> None:
    folder = next(search.root.glob("experiments/*/*"))
    (folder / TRIALS).write_text(json.dumps({"items": items}))
    with pytest.raises(NoCandidate, match=counts) as raised:
        search.found()
    assert "lint" in raised.value.hint


@pytest.mark.parametrize("count", [1, 2, 3, 4, 100])
def test_as_many_contend_as_the_policy_says(search: Search, count: int) -> None:
    assert search.found(finalists=count) == ["lucky", "good", "fair", "weak"][:count]


def test_of_a_search_over_families_the_best_of_each_contends(search: Search) -> None:
    families = {"lucky": "a", "good": "a", "twin": "a", "fair": "b", "weak": "c"}
    folder = next(search.root.glob("experiments/*/*"))
    items = [
        scored_trial(name, value, model=families[name]) for name, (_, value) in RECIPES.items()
    ]
    (folder / TRIALS).write_text(json.dumps({"items": items}))
    assert search.found(finalists=3) == ["lucky", "fair", "good"]
    assert search.found(finalists=4) == ["lucky", "fair", "weak", "good"]


def test_the_champions_own_model_does_not_contend(search: Search) -> None:
    search.promote("good")
    assert search.found() == ["lucky", "fair", "weak"]


def test_where_all_are_the_champions_own_model_that_is_returned(search: Search) -> None:
    search.promote("good")
    folder = next(search.root.glob("experiments/*/*"))
    (folder / TRIALS).write_text(
        json.dumps({"items": [scored_trial("twin", "2.0"), scored_trial("good", "2.0")]})
    )
    assert search.found() == ["good"]


def test_a_damaged_best_is_told_and_another_damaged_one_is_passed_over(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    flip_bit(search.packages["good"].path)
    assert search.found() == ["lucky", "twin", "fair", "weak"]
    assert "note: skipped: " in capsys.readouterr().err
    flip_bit(search.packages["lucky"].path)
    assert search.found() == ["damaged"]
    code, _, verdict = search.run("gate")
    assert (code, verdict["verdict"]) == (12, "refuse")


def test_a_named_candidate_contends_alone(search: Search, tmp_path: Path) -> None:
    workspace = search.workspace()
    weak = search.packages["weak"]
    fair = search.packages["fair"]
    assert find_contenders(workspace, trial="weak") == [Contender.of(weak)]
    assert find_contenders(workspace, package=fair.path) == [Contender.of(fair)]
    (broken,) = find_contenders(workspace, package=damaged(fair, tmp_path / "broken"))
    assert isinstance(broken, PackageError)


def test_the_candidate_is_the_best_on_other_folds_and_not_the_luckiest(search: Search) -> None:
    search.promote("weak")
    code, said, verdict = search.run("promote")
    assert (code, verdict["verdict"]) == (PROMOTED, "promote")
    assert verdict["candidate"]["trial"] == "good"
    losses = {each["trial"]: each["loss"] for each in verdict["finalists"]}
    assert list(losses) == ["lucky", "good", "fair"]
    assert min(losses, key=losses.__getitem__) == "good"
    assert "candidate: good, mse" in said
    line = "the best of 3 finalists on folds of their own: good, loss "
    good, lucky = (loss_text("mse", losses[name]) for name in ("good", "lucky"))
    assert f"{line}{good}; the search's best, lucky: {lucky}" in said
    assert "over its rows left out" in said
    assert "candidate on the holdout: RMSE " in said
    assert "champion on the holdout: RMSE " in said


def test_the_searchs_word_is_taken_where_one_finalist_is_asked_for(search: Search) -> None:
    _, said, verdict = search.run("gate", TUNEGATE_GATE__FINALISTS="1")
    assert verdict["candidate"]["trial"] == "lucky"
    assert "finalists" not in verdict
    assert "finalists" not in said


def test_what_was_made_from_other_data_is_no_finalist(search: Search) -> None:
    """As if a search was resumed after the data had changed."""
    trials = search.workspace().store.trial("")
    for name in ("good", "twin"):
        (trials / name).rename(trials.parent / f"old-{name}")
        variant(search.packages[name], trials / name, fingerprint="0" * 64)
    search.promote("weak")
    verdict = search.run("gate")[2]
    assert [each["trial"] for each in verdict["finalists"]] == ["lucky", "fair"]


def test_where_the_best_was_made_from_other_data_that_is_said_at_once(search: Search) -> None:
    code, said, verdict = search.run("gate", "--include", "note")
    assert (code, verdict["verdict"], verdict["candidate"]["trial"]) == (12, "refuse", "lucky")
    assert "finalists" not in verdict
    assert "finalists" not in said


def test_an_approved_candidate_is_the_one_that_was_chosen(search: Search) -> None:
    search.promote("weak")
    manual = {"TUNEGATE_GATE__APPROVAL": "manual"}
    code, _, held = search.run("gate", **manual)
    assert (code, held["candidate"]["trial"]) == (11, "good")
    code, _, verdict = search.run("approve", **manual)
    assert (code, verdict["candidate"]) == (PROMOTED, held["candidate"])


def test_where_the_searchs_best_is_the_best_no_other_is_named() -> None:
    finalists = [
        Finalist(trial=name, sha256="0" * 64, search_score=1, loss=loss)
        for name, loss in (("a", 2), ("b", 3))
    ]
    line = "the best of 2 finalists on folds of their own: a, loss 2 (RMSE 1.414)"
    assert finalists_line(finalists, "mse") == line


def test_the_same_search_gives_the_same_verdict_to_the_byte(search: Search) -> None:
    assert search.run("gate")[2] == search.run("gate", TUNEGATE_CPUS="1")[2]


def test_a_shadow_is_the_candidate_that_the_gate_will_choose(search: Search) -> None:
    search.promote("weak")
    code, said, started = search.run("shadow", "latest")
    assert code == 0, said
    assert started["sha256"] == search.packages["good"].digest
    assert search.run("gate")[2]["candidate"]["trial"] == "good"


def test_a_shadow_without_a_champion_is_refused_before_anything_is_fitted(search: Search) -> None:
    done = tunegate("shadow", "latest", "--state", search.root, "--data", search.data)
    assert done.returncode == 2
    assert "nothing of homes is in production" in done.stderr
    assert "finalists" not in done.stderr
