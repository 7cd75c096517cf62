"""A search's best trials are scored once more, on folds of their own, and one is chosen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.promotion.gate_cases import Floats, GateCase

from promote import GatePolicy
from promote.finalists import FINALIST_SEEDS, Contender, score_finalists
from promote.gate import judge
from promote.gate_input import Evaluation, GateInput
from promote.policy import LARGEST_SEED
from promote.recipes import SEARCH_SEEDS
from promote.verdict import Finalist, Verdict, best_finalist
from registry.package import Manifest
from registry.record import InvalidRecord

POLICY = GatePolicy()


def scored_both(homes: GateCase) -> tuple[Finalist, ...]:
    return score_finalists([Contender.of(homes.poor), Contender.of(homes.good)], homes.view, POLICY)


def finalist(loss: float) -> Finalist:
    return Finalist(trial="a", sha256="0" * 64, search_score=1.0, loss=loss)


def test_each_has_its_recipes_loss_on_folds_of_their_own(homes: GateCase) -> None:
    found = scored_both(homes)
    for package, scored in zip([homes.poor, homes.good], found, strict=True):
        manifest = package.manifest
        assert (scored.trial, scored.sha256) == (manifest.provenance.trial, package.digest)
        assert scored.search_score == manifest.cross_validation.score
        assert (
            scored.loss
            == homes.view.out_of_fold(
                manifest, [FINALIST_SEEDS, FINALIST_SEEDS + 1, FINALIST_SEEDS + 2], POLICY.folds
            ).mean()
        )
    assert best_finalist(found) == 1


@given(st.lists(st.sampled_from([1.0, 1.5, 2.0]), min_size=1))
def test_the_least_loss_is_chosen_and_of_equals_the_searchs_better_one(losses: list[float]) -> None:
    assert best_finalist([finalist(loss) for loss in losses]) == losses.index(min(losses))


@given(repeats=st.integers(1, 100), data=st.data())
def test_no_fold_is_the_searchs_or_the_gates(
    homes: GateCase, repeats: int, data: st.DataObject
) -> None:
    seed = data.draw(st.integers(0, LARGEST_SEED // repeats))
    policy = GatePolicy(seed=seed, repeats=repeats, resamples=100)
    asked = list[list[int]]()

    def spy(manifest: Manifest, seeds: list[int], folds: int) -> object:
        asked.append(seeds)
        return homes.view.out_of_fold(manifest, [FINALIST_SEEDS], POLICY.folds)

    view: Evaluation = replace(homes.view, out_of_fold=spy)
    score_finalists([Contender.of(homes.good)], view, policy)
    judge(GateInput(homes.good, None, view), policy)
    ours = asked[0]
    gates = {each for seeds in asked[1:] for each in seeds}
    assert len(set(ours)) == len(gates) == repeats
    assert gates.isdisjoint(ours)
    assert (
        SEARCH_SEEDS <= min(gates) < max([*gates, *ours]) < 2**32
    )  # what a generator takes as a seed


@pytest.mark.parametrize("repeats", [1, 3, 100])
def test_a_seed_that_no_generator_takes_is_refused(repeats: int) -> None:
    assert GatePolicy.checked({"seed": LARGEST_SEED // repeats, "repeats": repeats}).seed
    with pytest.raises(InvalidRecord, match=f"seed: at most .* with {repeats} repeats"):
        GatePolicy.checked({"seed": LARGEST_SEED // repeats + 1, "repeats": repeats})


def test_a_verdict_says_among_whom_its_candidate_was_chosen(homes: GateCase) -> None:
    finalists = scored_both(homes)
    verdict = judge(GateInput(homes.good, None, homes.view, finalists=finalists), POLICY)
    assert verdict.finalists == finalists
    assert Verdict.parse(verdict.canonical()) == verdict


@pytest.mark.parametrize("searched", [True, False])
def test_a_searchs_winner_needs_more_than_a_candidate_that_a_person_named(
    homes: GateCase,
    searched: bool,  # noqa: FBT001
) -> None:
    """Of truly equal trials the best of forty is lucky on these rows; a named one is not."""
    n = len(homes.data.training.y)
    noise = np.random.default_rng(0).normal(size=n)
    gain = noise - noise.mean() + 1.45 * noise.std() / n**0.5  # P(better) of about .93

    def losses(manifest: Manifest, seeds: list[int], folds: int) -> Floats:
        del seeds, folds
        return 0.5 - gain / 100 * (manifest == homes.good.manifest)

    finalists = (finalist(1.0), finalist(2.0)) if searched else ()
    given_now = GateInput(
        homes.good, homes.poor, replace(homes.view, out_of_fold=losses), finalists=finalists
    )
    verdict = judge(given_now, POLICY)
    assert verdict.recipe
    assert 0.9 <= verdict.recipe.p_better < 0.95
    assert verdict.verdict == ("keep" if searched else "promote")


def test_a_verdict_from_before_there_were_finalists_keeps_its_digest() -> None:
    """Else the digests that are in ledgers already would name no verdict any more."""
    (kept,) = (Path(__file__).parent / "verdicts").iterdir()
    verdict = Verdict.parse(kept.read_bytes())
    assert verdict.canonical() == kept.read_bytes()
    assert verdict.digest() == kept.stem


def test_a_verdict_about_a_named_candidate_has_none(homes: GateCase) -> None:
    verdict = judge(GateInput(homes.good, None, homes.view), POLICY)
    assert b"finalists" not in verdict.canonical()
    asked = judge(GateInput(homes.good, None, homes.view), POLICY.replace(finalists=2))
    assert Verdict.parse(asked.canonical()) == asked
