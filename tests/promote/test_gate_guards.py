"""Better on average is not enough: what else a candidate must not be."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.promotion.gate_cases import GateCase, check_detail, failed_checks, make_gate_case
from support.registry import toy_data as toy
from support.registry.package_variants import scaled, variant

from promote.guards import Losses, guard_checks
from promote.policy import Bounds, GatePolicy
from promote.verdict import Check, Verdict
from registry.package import FlatForest, load_package, serving_cost
from trainer.dataset import load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial
from tunegate.promotion.evaluation import make_evaluation

KEYS = {"key 1, recipes on fresh folds", "key 2, packages on the holdout"}


def test_a_loss_above_the_ceiling_is_refused(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    assert verdict.holdout
    loss = verdict.holdout.candidate
    assert homes.judge(homes.good, homes.poor, ceiling=loss).verdict == "promote"
    above = homes.judge(homes.good, homes.poor, ceiling=loss * 0.999)
    assert above.verdict == "refuse"
    assert failed_checks(above) == {"ceiling"}


def test_a_package_larger_than_allowed_is_refused(homes: GateCase) -> None:
    size = homes.good.size
    assert homes.judge(homes.good, homes.poor, max_bytes=size).verdict == "promote"
    verdict = homes.judge(homes.good, homes.poor, max_bytes=size - 1)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"size"}


def test_a_forest_that_takes_more_work_than_allowed_is_refused(homes: GateCase) -> None:
    work = homes.good.forest.n_trees * homes.good.forest.depth
    assert homes.judge(homes.good, homes.poor, max_work=work).verdict == "promote"
    verdict = homes.judge(homes.good, homes.poor, max_work=work - 1)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"work"}
    assert str(work) in check_detail(verdict, "work")


def test_a_package_that_takes_more_memory_to_serve_than_allowed_is_refused(
    homes: GateCase,
) -> None:
    memory = serving_cost(homes.good).memory
    assert homes.judge(homes.good, homes.poor, max_memory=memory).verdict == "promote"
    verdict = homes.judge(homes.good, homes.poor, max_memory=memory - 1)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"memory"}
    assert str(memory) in check_detail(verdict, "memory")


def test_a_row_that_takes_longer_than_allowed_is_refused(homes: GateCase) -> None:
    taken = int(serving_cost(homes.good).microseconds)
    assert homes.judge(homes.good, homes.poor, max_microseconds=taken + 1).verdict == "promote"
    verdict = homes.judge(homes.good, homes.poor, max_microseconds=taken)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"time"}


def test_all_guards_that_fail_are_reported_together_and_the_gravest_decides(
    homes: GateCase,
) -> None:
    verdict = homes.judge(homes.poor, homes.good, ceiling=0.1, max_bytes=1, max_work=1)
    assert verdict.verdict == "refuse"
    assert KEYS | {"ceiling", "size", "work"} <= failed_checks(verdict)
    assert {reason.split(":")[0] for reason in verdict.reasons} == failed_checks(verdict)


def test_a_candidate_that_fails_one_slice_is_kept_out_though_better_on_average(
    homes: GateCase, tmp_path: Path
) -> None:
    part = homes.data.training
    garden = np.array([value is True for value in part.table["garden"]])
    blind = toy.package(
        homes.data, tmp_path / "blind", toy.GOOD, y=np.where(garden, part.y - 6, part.y)
    )
    noisy = toy.package(
        homes.data,
        tmp_path / "noisy",
        toy.GOOD | {"min_samples_leaf": 5},
        y=np.where(garden, part.y, part.y - 13),
    )
    verdict = homes.judge(blind, noisy, max_error_ratio=100)
    assert verdict.verdict == "keep"
    assert failed_checks(verdict) == {"worst slice"}
    assert check_detail(verdict, "worst slice").startswith("garden = True: ")
    assert homes.judge(blind, noisy, max_error_ratio=100, max_slice_ratio=1000).verdict == "promote"


def test_a_candidate_with_one_very_large_error_is_kept_out(homes: GateCase, tmp_path: Path) -> None:
    forest = homes.good.forest
    x = homes.data.matrix(homes.data.holdout)
    row = x[np.argmax(homes.good.predict(homes.data.holdout.table)[:, 0])]
    value = forest.value.copy()
    value[leaves(forest, row)] += 18  # this row, and few others in some of the trees
    wild = FlatForest.from_arrays({**forest.arrays(), "value": value}, n_features=forest.n_features)
    candidate = variant(homes.good, tmp_path / "wild", forest=wild)
    verdict = homes.judge(candidate, homes.poor, max_slice_ratio=1000)
    assert verdict.verdict == "keep"
    assert failed_checks(verdict) == {"largest error"}
    assert (
        homes.judge(candidate, homes.poor, max_slice_ratio=1000, max_error_ratio=10).verdict
        == "promote"
    )


def test_a_class_that_is_missed_for_certain_is_no_largest_error(tmp_path: Path) -> None:
    """For classes one miss is as wrong as any other; a perfect champion would block everybody."""
    found = list(guards_of_a_classifier(tmp_path))
    assert "largest error" not in {check.name for check in found}
    assert {"worst slice", "prediction range", "work", "size"} <= {check.name for check in found}


def guards_of_a_classifier(folder: Path) -> Iterator[Check]:
    data = load_dataset("iris")
    recipe = Recipe.make("random_forest", "classification", {"n_estimators": 5}, 0)
    score = cross_validate(recipe, data, folds=2, seed=0)[0]
    write_trial(folder / "iris", recipe, data, score, fold_seed=0)
    part = make_evaluation(data, cpus=1)
    rows = len(part.y)
    losses = Losses(np.full(rows, 30.0), np.zeros(rows))
    return guard_checks(
        load_package(folder / "iris"), part, np.ones(rows, dtype=bool), losses, GatePolicy()
    )


def leaves(forest: FlatForest, row: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the leaf of each tree that a row comes to rest on."""
    node = forest.start[:-1]
    for _ in range(forest.depth):
        seen = row[forest.feature[node]]
        left = np.where(np.isnan(seen), forest.missing_left[node], seen <= forest.threshold[node])
        node = np.where(left, forest.left[node], forest.right[node])
    return node


def test_predictions_far_outside_what_was_seen_in_training_are_refused(
    homes: GateCase, tmp_path: Path
) -> None:
    wild = variant(homes.good, tmp_path / "wild", forest=scaled(homes.good, 3.0))
    verdict = homes.judge(wild, homes.poor)
    assert verdict.verdict == "refuse"
    assert "prediction range" in failed_checks(verdict)


def test_shares_of_classes_outside_nought_to_one_are_refused(
    flowers: GateCase, tmp_path: Path
) -> None:
    wild = variant(flowers.good, tmp_path / "wild", forest=scaled(flowers.good, 3.0))
    assert "prediction range" in failed_checks(flowers.judge(wild, flowers.poor))


@pytest.mark.parametrize("name", ["size > ", "garden = True", "region = east"])
def test_a_slice_may_be_a_half_of_numbers_a_side_of_a_flag_or_a_category(
    large: GateCase, tmp_path: Path, name: str
) -> None:
    part = large.data.training
    rows = {
        "size > ": part.table["size"] > np.median(part.table["size"]),
        "garden = True": np.array([value is True for value in part.table["garden"]]),
        "region = east": np.array([value == "east" for value in part.table["region"]]),
    }
    blind = toy.package(
        large.data, tmp_path / "blind", toy.GOOD, y=np.where(rows[name], part.y + 9, part.y)
    )
    steady = toy.package(
        large.data, tmp_path / "steady", toy.GOOD, y=part.y + 3
    )  # as wrong everywhere
    verdict = large.judge(blind, steady, repeats=1)
    assert check_detail(verdict, "worst slice").startswith(name)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> GateCase:
    """Enough rows for each region to count."""
    folder = tmp_path_factory.mktemp("large")
    return make_gate_case(folder, toy.dataset(folder / "data", toy.homes(600)), toy.GOOD, toy.POOR)


NORTH = {"north": {"region": "north"}}


def test_a_named_slice_that_gets_worse_keeps_the_champion(homes: GateCase) -> None:
    verdict = homes.judge(homes.poor, homes.good, slices=NORTH)
    assert "slice north" in failed_checks(verdict)
    rows = sum(str(value) == "north" for value in homes.view.table["region"])
    assert f"on {rows} rows" in check_detail(verdict, "slice north")
    assert Verdict.parse(verdict.canonical()) == verdict


def test_a_named_slice_that_gets_better_lets_the_candidate_in(homes: GateCase) -> None:
    slices = {**NORTH, "large": {"size": Bounds(at_least=120)}, "green": {"garden": True}}
    verdict = homes.judge(homes.good, homes.poor, slices=slices)
    assert verdict.verdict == "promote", verdict.reasons
    assert {"slice north", "slice large", "slice green"} <= {each.name for each in verdict.checks}


def test_a_slice_of_a_column_that_does_not_exist_is_refused_with_its_place(
    homes: GateCase,
) -> None:
    verdict = homes.judge(homes.good, homes.poor, slices={"typo": {"regoin": "north"}})
    assert verdict.verdict == "refuse"
    assert "no column regoin; see [gate.slices.typo]" in check_detail(verdict, "slice typo")


def test_a_slice_of_few_rows_decides_nothing(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor, slices={"none": {"size": Bounds(below=0)}})
    assert verdict.verdict == "promote"
    assert check_detail(verdict, "slice none") == "0 holdout rows, too few to judge by"


def test_slices_are_read_as_settings_are_written() -> None:
    given = {"slices": {"large": {"size": {"at_least": 120, "below": 200}, "region": "north"}}}
    policy = GatePolicy.checked(given)
    assert policy.slices["large"]["size"] == Bounds(at_least=120, below=200)


def test_intervals_that_contain_too_few_rows_of_a_slice_keep_the_champion(
    homes: GateCase, tmp_path: Path
) -> None:
    interval = homes.good.manifest.interval
    assert interval
    assert homes.judge(homes.good, homes.poor, min_coverage=0.8).verdict == "promote"
    narrow = variant(
        homes.good,
        tmp_path / "narrow",
        interval=interval.replace(half_width=interval.half_width / 4),
    )
    assert homes.judge(narrow, homes.poor).verdict == "promote"  # off unless stated
    verdict = homes.judge(narrow, homes.poor, min_coverage=0.8, slices=NORTH)
    assert failed_checks(verdict) == {"coverage"}
    y = homes.data.holdout.y
    error = np.abs(y - narrow.predict(homes.data.holdout.table)[:, 0])
    share = (error <= interval.half_width / 4).mean()
    detail = check_detail(verdict, "coverage")
    assert detail.startswith(
        f"intervals contain {share:.2f} of {len(y)} rows, at least 0.80 needed"
    )
    bare = variant(homes.good, tmp_path / "bare", interval=None)
    assert "no prediction interval" in check_detail(
        homes.judge(bare, homes.poor, min_coverage=0.8), "coverage"
    )


def test_class_shares_that_do_not_come_true_are_kept_out(flowers: GateCase, tmp_path: Path) -> None:
    forest = flowers.good.forest
    arrays = {**forest.arrays(), "value": 0.3 * forest.value + 0.7 / 3}  # towards equal shares
    shy = FlatForest.from_arrays(arrays, n_features=forest.n_features)
    timid = variant(flowers.good, tmp_path / "timid", forest=shy)
    good = flowers.judge(flowers.good, flowers.poor, max_calibration_error=0.05)
    assert "calibration" not in failed_checks(good)
    verdict = flowers.judge(timid, flowers.poor, max_calibration_error=0.05)
    assert "calibration" in failed_checks(verdict)
    assert "at most 0.050 allowed" in check_detail(verdict, "calibration")
    assert "calibration" not in {each.name for each in flowers.judge(timid, flowers.poor).checks}
