"""What is decided: named challengers, winners of searches, new data, months, releases.

Each function makes the decisions of one data set; the data set's number is the seed.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from benchmarks.decisions.decide import RULES, Decision, decide, observed_loss
from benchmarks.decisions.models import (
    Case,
    Given,
    draw_case,
    fit_package,
    make_case,
    recipe_manifest,
    search_score,
    true_loss,
)
from benchmarks.decisions.populations import Population, World
from promote.finalists import FINALIST_SEEDS
from promote.policy import GatePolicy
from promote.recipes import SEARCH_SEEDS
from registry.package import ModelPackage

FRESH_ROWS = 4000
PAIRS = 60
SEARCHED = 40
CHAMPIONS = 20
MONTHS = 24
RELEASES = 20
ROWS = 500
SPREAD: Sequence[Given] = (
    {"max_features": 0.4},
    {"max_features": 0.3, "max_depth": 12},
    {"max_features": 0.5, "min_samples_leaf": 2},
    {"max_features": 0.7},
    {"max_features": 1.0},
    {"max_features": 0.4, "max_samples": 0.6},
    {"max_features": 0.5, "min_samples_leaf": 3},
    {"max_features": 1.0, "min_samples_leaf": 3},
    {"max_features": 0.5, "min_samples_leaf": 5},
    {"max_features": 0.2, "min_samples_leaf": 5},
    {"max_features": 0.5, "min_samples_leaf": 8},
    {"max_features": 1.0, "min_samples_leaf": 12},
    {"max_features": 0.4, "min_samples_leaf": 12},
)
USUAL: Given = {"max_features": 0.5, "min_samples_leaf": 2}


class Found(TypedDict, total=False):
    """What became of one data set.

    Attributes:
        truths: each recipe's true loss, as fitted.
        pairs: the recipes of each decision, candidate first.
        decisions: as in `Decision`.
        published: the gate's cross-validated loss as a share of the truth, where it promoted.
        path: true loss after each step as a share of that at the start, by rule.
        promotions: how many, by rule.
    """

    truths: list[float]
    pairs: list[tuple[int, int]]
    decisions: list[Decision]
    published: list[float]
    path: dict[str, list[float]]
    promotions: dict[str, int]


def named(population: Population, number: int, rows: int) -> Found:
    """Compare recipes from good to poor, each named by a person: no search has chosen it."""
    rng = np.random.default_rng([number, rows])
    case = draw_case(population, rows, rng)
    fresh = population.draw(rng, FRESH_ROWS, "same")
    other = population.draw(rng, len(case.holdout.y), "same")
    packages = [fit_package(case, values, number) for values in SPREAD]
    packages.append(fit_package(case, SPREAD[0], number + 1_000_000))  # the same, another seed
    truths = [true_loss(population, each, fresh) for each in packages]
    stored = [observed_loss(case, each, other) for each in packages]
    orders = [(i, j) for i in range(len(packages)) for j in range(len(packages)) if i != j]
    chosen = [orders[k] for k in rng.permutation(len(orders))[:PAIRS]]
    decisions = [
        decide(case, packages[i], packages[j], stored=stored[j], ratio=truths[i] / truths[j])
        for i, j in chosen
    ]
    return {"truths": truths, "pairs": chosen, "decisions": decisions}


def recipes(population: Population, number: int, rows: int) -> Found:
    """Fit the recipes of `named` on another data set, without any decision.

    What is true of a recipe is a mean over data sets, and needs more of them than decisions do.
    """
    rng = np.random.default_rng([number, rows, 5])
    case = draw_case(population, rows, rng)
    fresh = population.draw(rng, FRESH_ROWS // 2, "same")
    packages = [fit_package(case, values, number) for values in (*SPREAD, SPREAD[0])]
    return {"truths": [true_loss(population, each, fresh) for each in packages]}


def searched(population: Population, number: int, rows: int) -> Found:
    """Judge the winner of a search of 40 trials that are truly equal to the champion.

    They are one recipe with other seeds, so whatever the search prefers is luck.
    """
    rng = np.random.default_rng([number, rows, 1])
    case = draw_case(population, rows, rng)
    fresh = population.draw(rng, FRESH_ROWS, "same")
    other = population.draw(rng, len(case.holdout.y), "same")
    decisions = []
    published = []
    trials = [number * 1000 + k for k in range(SEARCHED)]
    winner = _search(case, trials, fold_seed=int(rng.integers(1000)))
    mine = true_loss(population, winner, fresh)
    for k in range(CHAMPIONS):
        champion = fit_package(case, USUAL, number * 1000 + 500 + k)
        theirs = true_loss(population, champion, fresh)
        stored = observed_loss(case, champion, other)
        found = decide(case, winner, champion, stored=stored, ratio=mine / theirs, searched=True)
        decisions.append(found)
        if found.promoted:
            published.append(_published(case, winner) / mine)
    return {"decisions": decisions, "published": published}


def _published(case: Case, package: ModelPackage) -> float:
    policy = GatePolicy()
    losses = case.view.out_of_fold(package.manifest, policy.seeds(SEARCH_SEEDS), policy.folds)
    return float(np.nanmean(losses))


def _search(case: Case, trials: Sequence[int], *, fold_seed: int) -> ModelPackage:
    """Return the best of the five best, as `tunegate promote` chooses it."""
    scores = {seed: search_score(case, USUAL, seed, fold_seed) for seed in trials}
    policy = GatePolicy()
    best = sorted(trials, key=lambda seed: scores[seed])[: policy.finalists]
    folds = policy.seeds(FINALIST_SEEDS)
    losses = [
        np.nanmean(case.view.out_of_fold(recipe_manifest(case, USUAL, seed), folds, policy.folds))
        for seed in best
    ]
    seed = best[int(np.argmin(losses))]
    return fit_package(case, USUAL, seed, score=scores[seed])


KINDS: Mapping[str, tuple[float, bool, World]] = {
    # name: new rows as a share of the old, whether the old ones stay, the world of the new ones
    "+1 % rows": (0.01, True, "same"),
    "+5 % rows": (0.05, True, "same"),
    "+20 % rows": (0.2, True, "same"),
    "+100 % rows": (1.0, True, "same"),
    "as many other rows": (1.0, False, "same"),
    "covariate shift, 10 % new": (0.11, True, "covariate"),
    "covariate shift, 30 % new": (0.43, True, "covariate"),
    "concept drift, 10 % new": (0.11, True, "concept"),
    "concept drift, 30 % new": (0.43, True, "concept"),
    "concept drift, all new": (1.0, False, "concept"),
}


def new_data(population: Population, number: int, kind: str) -> Found:
    """Judge the champion's own recipe, fitted on the data of today; truth is that of today."""
    share, keep, world = KINDS[kind]
    rng = np.random.default_rng([number, len(kind), 2])
    before = draw_case(population, ROWS, rng)
    champion = fit_package(before, USUAL, number)
    after = _grow(population, before, round(share * ROWS), rng, keep=keep, world=world)
    candidate = fit_package(after, USUAL, number + 1)
    fresh = population.draw(rng, FRESH_ROWS, world)
    stored = observed_loss(before, champion, before.holdout)
    ratio = true_loss(population, candidate, fresh) / true_loss(population, champion, fresh)
    return {"decisions": [decide(after, candidate, champion, stored=stored, ratio=ratio)]}


def _grow(
    population: Population,
    before: Case,
    more: int,
    rng: np.random.Generator,
    *,
    keep: bool,
    world: World,
) -> Case:
    """Return the data with new rows, four fifths of them for training."""
    drawn = population.draw(rng, more, world)
    edge = round(0.8 * more)
    training = drawn.take(slice(0, edge))
    holdout = drawn.take(slice(edge, more))
    if keep:
        training = before.training.join(training)
        holdout = before.holdout.join(holdout)
    return make_case(population, training, holdout)


def monthly(population: Population, number: int) -> Found:
    """Retrain the same recipe each month on 5 % more rows; each rule has its own champion."""
    rng = np.random.default_rng([number, 3])
    fresh = population.draw(rng, FRESH_ROWS, "same")
    case = draw_case(population, ROWS, rng)
    first = fit_package(case, USUAL, number)
    start = true_loss(population, first, fresh)
    champions = dict.fromkeys(RULES, first)
    stored = dict.fromkeys(RULES, observed_loss(case, first, case.holdout))
    path: dict[str, list[float]] = {rule: [] for rule in RULES}
    promotions = dict.fromkeys(RULES, 0)
    for month in range(1, MONTHS + 1):
        more = round(0.05 * len(case.training.y) / 0.8)
        case = _grow(population, case, more, rng, keep=True, world="same")
        candidate = fit_package(case, USUAL, number + month)
        known: dict[str, Decision] = {}
        for rule, accepts in RULES.items():
            champion = champions[rule]
            if champion.digest not in known:
                known[champion.digest] = decide(
                    case, candidate, champion, stored=stored[rule], ratio=1.0
                )
            if accepts(known[champion.digest]):
                champions[rule] = candidate
                stored[rule] = observed_loss(case, candidate, case.holdout)
                promotions[rule] += 1
            path[rule].append(true_loss(population, champions[rule], fresh) / start)
    return {"path": path, "promotions": promotions}


def releases(population: Population, number: int) -> Found:
    """Twenty searches among recipes that are truly equal; data and the gate's folds stay."""
    rng = np.random.default_rng([number, 4])
    fresh = population.draw(rng, FRESH_ROWS, "same")
    case = draw_case(population, ROWS, rng)
    other = population.draw(rng, len(case.holdout.y), "same")
    pool = {number * 1000 + k: fit_package(case, USUAL, number * 1000 + k) for k in range(SEARCHED)}
    truths = {each.digest: true_loss(population, each, fresh) for each in pool.values()}
    first = min(pool.values(), key=lambda each: truths[each.digest])  # from here it can only sink
    champions = dict.fromkeys(RULES, first)
    path: dict[str, list[float]] = {rule: [] for rule in RULES}
    promotions = dict.fromkeys(RULES, 0)
    known: dict[tuple[str, str], Decision] = {}
    for release in range(RELEASES):
        trials = [int(seed) for seed in rng.permutation(list(pool))[:10]]
        candidate = _search(case, trials, fold_seed=release)
        for rule, accepts in RULES.items():
            champion = champions[rule]
            pair = (candidate.digest, champion.digest)
            if pair not in known:
                known[pair] = decide(
                    case,
                    candidate,
                    champion,
                    stored=observed_loss(case, champion, other),
                    ratio=1.0,
                    searched=True,
                )
            if accepts(known[pair]) and candidate.digest != champion.digest:
                champions[rule] = candidate
                truths.setdefault(candidate.digest, true_loss(population, candidate, fresh))
                promotions[rule] += 1
            path[rule].append(truths[champions[rule].digest] / truths[first.digest])
    return {"path": path, "promotions": promotions}
