"""When packages or data do not fit: refuse or hold, and report all that was found together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.promotion.gate_cases import (
    GateCase,
    check_detail,
    failed_checks,
)
from support.registry import toy_data as toy
from support.registry.package_variants import damaged, variant

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from promote.verdict import Verdict
from registry.errors import PackageError
from registry.package import ModelPackage, load_package
from trainer.dataset import Dataset
from tunegate.promotion.evaluation import make_evaluation


def error(path: Path) -> PackageError:
    with pytest.raises(PackageError) as raised:
        load_package(path)
    return raised.value


@pytest.fixture(scope="module")
def grown(homes: GateCase, tmp_path_factory: pytest.TempPathFactory) -> GateCase:
    """The same homes and sixty more; the champion is last month's."""
    folder = tmp_path_factory.mktemp("grown")
    more = toy.homes(60, seed=9).assign(note=lambda frame: frame["note"] + 1000)
    data = toy.dataset(folder / "data", pd.concat([toy.homes(), more]))
    return GateCase(
        data,
        make_evaluation(data, cpus=1),
        toy.package(data, folder / "homes-new", toy.GOOD),
        homes.poor,
    )


@pytest.fixture(scope="module")
def resplit(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A champion trained on another split: it has seen rows that are the holdout now."""
    folder = tmp_path_factory.mktemp("resplit")
    data = toy.dataset(folder / "data", toy.homes(), split="seed = 1\nholdout = 0.5")
    return toy.package(data, folder / "homes-old", toy.POOR)


def test_a_damaged_candidate_is_refused(homes: GateCase, tmp_path: Path) -> None:
    verdict = homes.judge(error(damaged(homes.good, tmp_path / "bad")), homes.poor)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"candidate integrity"}
    assert "sha256" in verdict.reasons[0]
    assert verdict.candidate is None


def test_a_damaged_champion_is_never_replaced_silently(homes: GateCase, tmp_path: Path) -> None:
    verdict = homes.judge(homes.good, error(damaged(homes.poor, tmp_path / "bad")))
    assert (verdict.verdict, verdict.kind) == ("refuse", "promotion")
    assert failed_checks(verdict) == {"champion integrity"}
    assert verdict.candidate
    assert verdict.candidate.sha256 == homes.good.digest


def test_damage_on_both_sides_is_reported_together(homes: GateCase, tmp_path: Path) -> None:
    verdict = homes.judge(
        error(damaged(homes.good, tmp_path / "a")), error(damaged(homes.poor, tmp_path / "b"))
    )
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"candidate integrity", "champion integrity"}
    assert len(verdict.reasons) == 2


def test_new_data_are_refused_without_an_override(grown: GateCase) -> None:
    verdict = grown.judge(grown.good, grown.poor)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"fingerprint"}
    assert "--allow-new-data" in verdict.reasons[0]


def test_new_data_are_judged_with_the_override_and_no_row_has_changed_sides(
    grown: GateCase,
) -> None:
    verdict = grown.judge(grown.good, grown.poor, allow_new_data=True)
    assert verdict.verdict == "promote"
    assert verdict.excluded == 0
    assert verdict.holdout
    assert verdict.holdout.rows == len(grown.data.holdout.y)


@pytest.fixture(scope="module")
def richer(homes: GateCase, tmp_path_factory: pytest.TempPathFactory) -> GateCase:
    """The champion's own recipe, on ten times the homes; the champion has seen a tenth."""
    folder = tmp_path_factory.mktemp("richer")
    many = toy.homes(1200, seed=3)
    few = toy.dataset(folder / "few", many.head(120))
    data = toy.dataset(folder / "data", many)
    return GateCase(
        data,
        make_evaluation(data, cpus=1),
        toy.package(data, folder / "homes-new", toy.GOOD),
        toy.package(few, folder / "old", toy.GOOD),
    )


def test_better_data_get_the_same_recipe_in(richer: GateCase) -> None:
    """Key 1 sees what data are worth: the champion's recipe learns from what the champion knows."""
    verdict = richer.judge(richer.good, richer.poor, allow_new_data=True)
    assert verdict.recipe
    assert verdict.recipe.p_better >= 0.9
    assert verdict.recipe.rows == len(richer.data.training.y)
    assert verdict.new_rows
    known = np.isin(richer.data.training.rows, richer.poor.rows)
    assert verdict.new_rows.rows == (~known).sum()
    detail = check_detail(verdict, "key 1, recipes on fresh folds")
    assert f"learns from the {known.sum()} rows that it knows" in detail
    assert f"{(~known).sum()} new rows alone" in detail
    assert verdict.verdict == "promote", verdict.reasons
    assert Verdict.parse(verdict.canonical()) == verdict


def test_new_rows_alone_turn_key_1_where_noisy_old_ones_say_nothing(tmp_path: Path) -> None:
    """A tenth of the rows is of a new world, and the old world's noise drowns what they say."""
    new = toy.homes(60, seed=5)
    new["size"] += 300
    new["price"] += 10
    many = pd.concat([toy.homes(400, noise=60), new], ignore_index=True)
    old = toy.dataset(tmp_path / "old", many.head(400))
    data = toy.dataset(tmp_path / "data", many)
    steady = toy.GOOD | {"min_samples_leaf": 8}
    case = GateCase(
        data,
        make_evaluation(data, cpus=1),
        toy.package(data, tmp_path / "candidate", steady),
        toy.package(old, tmp_path / "champion", steady),
    )
    verdict = case.judge(case.good, case.poor, allow_new_data=True, repeats=1)
    assert verdict.recipe
    assert verdict.new_rows
    assert verdict.recipe.p_better < 0.9
    assert verdict.new_rows.p_better >= 0.975
    key = "key 1, recipes on fresh folds"
    assert key not in failed_checks(verdict)
    assert "new rows alone, 0.975 is enough" in check_detail(verdict, key)


def test_the_champions_recipe_learns_from_no_row_that_is_new_to_the_champion(
    richer: GateCase,
) -> None:
    manifest = richer.poor.manifest
    known = np.isin(richer.data.training.rows, richer.poor.rows)
    poisoned = replace(richer.data.training, y=np.where(known, richer.data.training.y, 1e6))
    trials = make_evaluation(replace(richer.data, training=poisoned), cpus=1)
    there = trials.out_of_fold(manifest, [7], 5, known=known)
    here = richer.view.out_of_fold(manifest, [7], 5, known=known)
    assert np.array_equal(there[known], here[known])


def test_the_thresholds_of_new_data_are_those_of_old_data(grown: GateCase, homes: GateCase) -> None:
    verdict = grown.judge(grown.good, grown.poor, allow_new_data=True)
    for key, least in (
        ("key 1, recipes on fresh folds", 0.9),
        ("key 2, packages on the holdout", 0.2),
    ):
        expected = f"at least {least:.2f}"
        assert expected in check_detail(verdict, key)
        assert expected in check_detail(homes.judge(homes.good, homes.poor), key)


def rewritten(data: Dataset, folder: Path, *, error: float) -> Dataset:
    """The same homes, exported again: fractions differ in their last digits."""
    frame = toy.homes()
    for name in ("size", "age", "price"):
        frame[name] *= 1 + error
    return toy.dataset(folder, frame)


def test_rows_that_were_written_again_with_other_digits_are_known(
    homes: GateCase, tmp_path: Path
) -> None:
    data = rewritten(homes.data, tmp_path / "data", error=1e-12)
    candidate = toy.package(data, tmp_path / "homes-new", toy.GOOD)
    assert not np.isin(data.training.rows, homes.poor.rows).any()
    verdict = judge(
        GateInput(candidate, homes.poor, make_evaluation(data, cpus=1)),
        GatePolicy(allow_new_data=True, min_holdout=2),
    )
    seen = homes.poor.knows(data.holdout.rows, data.holdout.rounded)
    assert verdict.excluded == seen.sum() > 0
    assert check_detail(verdict, "champion's rows").startswith("the champion knows ")


def test_a_champion_none_of_whose_rows_is_found_is_judged_as_it_is_and_this_is_said(
    homes: GateCase, tmp_path: Path
) -> None:
    data = rewritten(homes.data, tmp_path / "data", error=1e-3)
    candidate = toy.package(data, tmp_path / "homes-new", toy.GOOD)
    verdict = judge(
        GateInput(candidate, homes.poor, make_evaluation(data, cpus=1)),
        GatePolicy(allow_new_data=True),
    )
    assert "none of the champion's" in check_detail(verdict, "champion's rows")
    assert "package is judged as it is" in check_detail(verdict, "key 1, recipes on fresh folds")
    assert verdict.recipe
    part = data.training
    losses = (part.y - homes.poor.predict(part.table)[:, 0]) ** 2
    assert verdict.recipe.champion == pytest.approx(losses.mean())


def test_a_package_without_rounded_rows_is_known_by_its_rows(
    homes: GateCase, tmp_path: Path
) -> None:
    old = variant(homes.poor, tmp_path / "old")
    assert not len(old.rounded_rows)
    part = homes.data.training
    assert old.knows(part.rows, part.rounded).all()


def test_new_data_that_bring_nothing_keep_the_champion(grown: GateCase, tmp_path: Path) -> None:
    """A few more rows and the champion's own recipe: no reason to change what is in production."""
    champion = toy.package(
        toy.dataset(tmp_path / "data", toy.homes()), tmp_path / "champion", toy.GOOD
    )
    verdict = grown.judge(grown.good, champion, allow_new_data=True)
    assert verdict.verdict == "keep", verdict.reasons


def test_a_worse_recipe_stays_out_whatever_its_data(richer: GateCase, tmp_path: Path) -> None:
    poor = toy.package(richer.data, tmp_path / "poor", toy.POOR)
    verdict = richer.judge(poor, richer.poor, allow_new_data=True)
    assert verdict.verdict == "keep"
    assert "key 1, recipes on fresh folds" in failed_checks(verdict)


def test_a_candidate_of_other_data_than_the_gates_is_refused_even_with_the_override(
    grown: GateCase, homes: GateCase
) -> None:
    verdict = homes.judge(grown.good, homes.poor, allow_new_data=True)
    assert verdict.verdict == "refuse"
    assert "data" in failed_checks(verdict)


def test_rows_the_champion_was_trained_on_leave_the_holdout(
    homes: GateCase, resplit: ModelPackage
) -> None:
    seen = np.isin(homes.data.holdout.rows, resplit.rows)
    verdict = homes.judge(homes.good, resplit, allow_new_data=True, min_holdout=10)
    assert 0 < seen.sum() < len(seen) - 10
    assert verdict.excluded == seen.sum()
    assert verdict.holdout
    assert verdict.holdout.rows == (~seen).sum()
    part = homes.data.holdout.take(~seen)
    loss = float(np.mean((part.y - homes.good.predict(part.table)[:, 0]) ** 2))
    assert verdict.holdout.candidate == pytest.approx(loss)


def test_a_candidate_that_has_seen_holdout_rows_is_refused(homes: GateCase, tmp_path: Path) -> None:
    rows = np.concatenate([homes.good.rows, homes.data.holdout.rows[:3]])
    verdict = homes.judge(variant(homes.good, tmp_path / "leak", rows=rows), homes.poor)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"leak"}
    assert check_detail(verdict, "leak").startswith("3 holdout row(s)")


def test_too_few_rows_to_judge_by_is_a_hold(homes: GateCase, resplit: ModelPackage) -> None:
    left = int((~np.isin(homes.data.holdout.rows, resplit.rows)).sum())
    assert (
        homes.judge(homes.good, resplit, allow_new_data=True, min_holdout=left).verdict == "promote"
    )
    verdict = homes.judge(homes.good, resplit, allow_new_data=True, min_holdout=left + 1)
    assert verdict.verdict == "hold"
    assert failed_checks(verdict) == {"holdout"}


def test_a_dozen_rows_that_are_left_are_too_few_unless_the_policy_says_otherwise(
    homes: GateCase, tmp_path: Path
) -> None:
    rows = np.concatenate([homes.poor.rows, homes.data.holdout.rows[12:]])
    verdict = homes.judge(homes.good, variant(homes.poor, tmp_path / "most", rows=rows))
    assert verdict.verdict == "hold"
    assert check_detail(verdict, "holdout").startswith("12 holdout rows to judge by, at least 30")


def test_a_first_model_needs_ten_rows_whatever_the_policy_asks_of_later_ones(
    homes: GateCase,
) -> None:
    verdict = homes.judge(homes.good, None, min_holdout=1000, repeats=1, folds=2)
    assert "holdout" not in failed_checks(verdict)


def test_a_champion_that_has_seen_the_whole_holdout_is_a_hold(
    homes: GateCase, tmp_path: Path
) -> None:
    rows = np.concatenate([homes.poor.rows, homes.data.holdout.rows])
    verdict = homes.judge(homes.good, variant(homes.poor, tmp_path / "all", rows=rows))
    assert verdict.verdict == "hold"
    assert verdict.reasons[0].startswith("holdout: 0 holdout rows")


def schema_verdict(
    tmp_path: Path, *, champion: tuple[str, ...], candidate: tuple[str, ...], allow: bool
) -> Verdict:
    """Judge a candidate that leaves out some columns against a champion that leaves out others."""
    packages = []
    for name, drop, recipe in (
        ("champion", champion, toy.POOR),
        ("candidate", candidate, toy.GOOD),
    ):
        data = toy.dataset(tmp_path / name, toy.homes(), drop=("note", *drop))
        packages.append(toy.package(data, tmp_path / f"homes-{name}", recipe))
    policy = GatePolicy(allow_schema_change=allow, allow_new_data=True, repeats=1)
    return judge(GateInput(packages[1], packages[0], make_evaluation(data, cpus=1)), policy)


def test_a_new_column_is_refused_without_an_override(tmp_path: Path) -> None:
    verdict = schema_verdict(tmp_path, champion=("garden",), candidate=(), allow=False)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"schema"}
    assert "--allow-schema-change" in verdict.reasons[0]


def test_a_new_column_is_judged_with_the_override(tmp_path: Path) -> None:
    assert (
        schema_verdict(tmp_path, champion=("garden",), candidate=(), allow=True).verdict
        == "promote"
    )


@pytest.mark.parametrize("allow", [True, False])
def test_a_champion_that_needs_a_column_that_is_gone_is_not_comparable(
    tmp_path: Path,
    allow: bool,  # noqa: FBT001
) -> None:
    verdict = schema_verdict(tmp_path, champion=(), candidate=("garden",), allow=allow)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"champion scorable"} | (set() if allow else {"schema"})
    assert "garden" in check_detail(verdict, "champion scorable")


def test_a_candidate_that_cannot_read_the_data_is_refused(homes: GateCase, tmp_path: Path) -> None:
    columns = [column.to_dict() for column in homes.good.manifest.columns]
    columns[0]["name"] = "surface"
    golden = [{"surface": row["size"], **row} for row in homes.good.golden.rows]
    forged = variant(homes.good, tmp_path / "forged", golden=golden, columns=columns)
    verdict = homes.judge(forged, None)
    assert verdict.verdict == "refuse"
    assert "surface" in check_detail(verdict, "candidate scorable")


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "flats"), ("target", "rent"), ("metric", "mae"), ("task", "classification")],
)
def test_another_task_than_the_champions_is_refused(
    homes: GateCase, tmp_path: Path, field: str, value: str
) -> None:
    classes = {"classes": ("a",), "metric": "log_loss"} if field == "task" else {}
    other = variant(homes.poor, tmp_path / "other", **{field: value, **classes})
    verdict = homes.judge(homes.good, other)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"task"}
    assert field in verdict.reasons[0]


def test_everything_that_makes_a_comparison_meaningless_is_reported_together(
    homes: GateCase, tmp_path: Path
) -> None:
    leaky = variant(
        homes.good,
        tmp_path / "leaky",
        rows=homes.data.holdout.rows,
        fingerprint="f" * 64,
        name="flats",
    )
    verdict = homes.judge(leaky, homes.poor, min_holdout=10_000)
    assert verdict.verdict == "refuse"  # the gravest of refuse and hold
    assert failed_checks(verdict) == {"data", "leak", "holdout", "task", "fingerprint"}
    assert len(verdict.reasons) == 5
    assert verdict.holdout is None
