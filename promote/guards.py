"""Guards: is there something about the candidate that its mean loss does not show?"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Slice, worst_slice
from promote.gate_input import Evaluation, holdout_predictions
from promote.named_slices import LEAST_ROWS, named_slice_checks, named_slices
from promote.policy import GatePolicy
from promote.verdict import Check
from registry.metric_names import readable_number
from registry.package import COLUMN_KINDS, Column, ModelPackage, serving_cost
from registry.package.columns import CellArray
from registry.shadow import ShadowEvidence

MIN_SLICE = 20  # rows
RANGE_MARGIN = 0.5  # of the target's range in training
BINS = 10  # of equally many rows, for the calibration
DOUBT = 0.05  # of a stated limit, over all slices
DRAWS = 20_000  # of a binomial share; P below 0.05 of a hundred slices is still told apart


class Losses(NamedTuple):
    """Row losses of both models on the same rows; the champion's are None if there is none."""

    candidate: Floats
    champion: Floats | None


def guard_checks(
    package: ModelPackage,
    data: Evaluation,
    fresh: NDArray[np.bool_],
    losses: Losses,
    policy: GatePolicy,
) -> Iterator[Check]:
    """Yield the guards' checks.

    Args:
        package: the candidate.
        data: what it is judged on.
        fresh: bool (n_holdout,), the rows that `losses` are of.
        losses: see `Losses`.
        policy: the limits.
    """
    slices = _make_slices(package, data, fresh)
    if losses.champion is not None:
        yield _check_slices(slices, losses.candidate, losses.champion, policy)
        pair = (losses.candidate, losses.champion)
        yield from named_slice_checks(package, data, fresh, pair, policy)
        if package.manifest.task == "regression":  # one wrong class is as wrong as any other
            yield _check_largest_error(losses.candidate, losses.champion, policy)
    predicted = holdout_predictions(package, data)
    yield _check_prediction_range(package, predicted)
    named = named_slices(package, data, fresh, policy)
    slices += [each for each in named if each.rows.sum() >= LEAST_ROWS]
    yield from stated_limit_checks(package, predicted[fresh], data.y[fresh], slices, policy)
    if package.outside:
        detail = "not measured: the model is served elsewhere"
        yield Check(name="work", passed=True, detail=detail)
        return
    work = package.predictor.work
    detail = f"{work} steps a row, at most {policy.max_work}"
    yield Check(name="work", passed=work <= policy.max_work, detail=detail)
    detail = f"{package.size} bytes, at most {policy.max_bytes}"
    yield Check(name="size", passed=package.size <= policy.max_bytes, detail=detail)
    yield from _check_serving_cost(package, policy)


def stated_limit_checks(
    package: ModelPackage,
    predicted: Floats,
    y: Floats,
    slices: Sequence[Slice],
    policy: GatePolicy,
) -> Iterator[Check]:
    """Yield a check for each limit on a model's own doubt that the policy states.

    A candidate may have the lower loss and still claim shares, or intervals, that do not come true.
    Few rows stray by luck, so a limit is broken only where luck alone would hardly do it.

    Args:
        package: the candidate.
        predicted: float64 (n, n_outputs), its predictions for the rows to judge by.
        y: float64 (n,), their targets, or indices of classes.
        slices: of these rows.
        policy: the limits.
    """
    if policy.max_calibration_error is not None:
        yield _check_calibration(package, predicted, y, policy)
    if policy.min_coverage is not None:
        yield from _check_coverage(package, predicted, y, slices, policy)


def calibration_error(shares: Floats, hits: NDArray[np.bool_]) -> float:
    """Return how far claimed shares are from what came: the mean over bins of equally many rows.

    The largest of the classes counts (Naeini et al. 2015 have one number for the likeliest class,
    which hides a rare class).

    Args:
        shares: float64 (n, n_classes).
        hits: bool (n, n_classes), whether the row is of the class.
    """
    found = []
    for share, hit in zip(shares.T, hits.T, strict=True):
        order = np.argsort(share, kind="stable")
        gaps = [abs(float((share[rows] - hit[rows]).sum())) for rows in np.array_split(order, BINS)]
        found.append(sum(gaps) / len(share))
    return max(found)


def _check_calibration(
    package: ModelPackage, shares: Floats, y: Floats, policy: GatePolicy
) -> Check:
    name = "calibration"
    if not package.manifest.classes:
        detail = "gate.max_calibration_error is for classes; gate.min_coverage for numbers"
        return Check(name=name, passed=False, detail=detail)
    classes = np.arange(shares.shape[1])
    error = calibration_error(shares, y[:, None] == classes)
    rng = np.random.default_rng(policy.seed)
    edges = np.cumsum(shares, axis=1)[:, :-1]
    by_luck = []
    for _ in range(policy.resamples // 10):  # of a model whose shares are the truth
        drawn = (rng.random((len(y), 1)) > edges).sum(axis=1)
        by_luck.append(calibration_error(shares, drawn[:, None] == classes))
    luck = float(np.quantile(by_luck, 1 - DOUBT))
    limit = policy.max_calibration_error or 0.0
    detail = (
        f"shares are {error:.3f} off, at most {limit:.3f} allowed; on {len(y)} rows true shares "
        f"look up to {luck:.3f} off"
    )
    return Check(name=name, passed=error <= max(limit, luck), detail=detail, otherwise="keep")


def _check_coverage(
    package: ModelPackage,
    predicted: Floats,
    y: Floats,
    slices: Sequence[Slice],
    policy: GatePolicy,
) -> Iterator[Check]:
    interval = package.manifest.interval
    least = policy.min_coverage or 0.0
    if interval is None:
        detail = "the package has no prediction interval, and gate.min_coverage asks for one"
        yield Check(name="coverage", passed=False, detail=detail)
        return
    inside = np.abs(y - predicted[:, 0]) <= interval.half_width
    everything = Slice("all rows", np.ones(len(y), dtype=bool))
    rng = np.random.default_rng(policy.seed)
    parts = [everything, *slices]
    found = []
    for part in parts:
        rows = int(part.rows.sum())
        covered = int(inside[part.rows].sum())
        p = float((rng.binomial(rows, least, DRAWS) <= covered).mean())
        found.append((p, covered / rows, rows, part.name))
    p, share, rows, name = min(found)
    lowest = f"least in {name}: {share:.2f} of {rows} rows, P {p:.4f} by luck"
    detail = (
        f"intervals contain {found[0][1]:.2f} of {found[0][2]} rows, at least {least:.2f} needed "
        f"there and in each of {len(slices)} slices; {lowest}"
    )
    passed = p >= DOUBT / len(parts)
    yield Check(name="coverage", passed=passed, detail=detail, otherwise="keep")


def shadow_guard(seen: ShadowEvidence | None, policy: GatePolicy) -> Iterator[Check]:
    """Yield whether enough rows were compared in shadow mode, if the policy asks for any."""
    if not policy.shadow_rows:
        return
    rows = seen.rows if seen else 0
    failed = seen.failed if seen else 0
    detail = (
        f"{rows} rows compared on real requests, at least {policy.shadow_rows}; "
        f"{failed} failed, none may"
    )
    passed = rows >= policy.shadow_rows and not failed
    yield Check(name="shadow", passed=passed, detail=detail, otherwise="hold")


def _check_slices(slices: list[Slice], mine: Floats, theirs: Floats, policy: GatePolicy) -> Check:
    found = worst_slice(
        slices,
        theirs,
        mine,
        ratio=policy.max_slice_ratio,
        resamples=policy.resamples,
        seed=policy.seed,
    )
    detail = found or "no slice clearly worse"
    return Check(name="worst slice", passed=not found, detail=detail, otherwise="keep")


def _check_largest_error(mine: Floats, theirs: Floats, policy: GatePolicy) -> Check:
    top = float(mine.max())
    limit = policy.max_error_ratio * float(theirs.max())
    detail = f"largest row loss {readable_number(top)}, at most {readable_number(limit)}"
    return Check(name="largest error", passed=top <= limit, detail=detail, otherwise="keep")


def _check_prediction_range(package: ModelPackage, predicted: Floats) -> Check:
    low = 0.0
    high = 1.0
    if package.manifest.task == "regression":
        low, high = package.manifest.target_range
    margin = RANGE_MARGIN * (high - low)
    inside = bool((predicted >= low - margin).all() and (predicted <= high + margin).all())
    detail = (
        f"predictions from {readable_number(predicted.min())} "
        f"to {readable_number(predicted.max())}, "
        f"training from {readable_number(low)} to {readable_number(high)}"
    )
    return Check(name="prediction range", passed=inside, detail=detail)


def _check_serving_cost(package: ModelPackage, policy: GatePolicy) -> Iterator[Check]:
    cost = serving_cost(package)
    detail = (
        f"about {cost.memory} bytes to load it and {cost.kept} to keep it, "
        f"at most {policy.max_memory}"
    )
    yield Check(name="memory", passed=cost.memory <= policy.max_memory, detail=detail)
    detail = (
        f"about {readable_number(cost.microseconds)} microseconds a row, "
        f"at most {policy.max_microseconds}"
    )
    yield Check(name="time", passed=cost.microseconds <= policy.max_microseconds, detail=detail)


def _make_slices(package: ModelPackage, data: Evaluation, fresh: NDArray[np.bool_]) -> list[Slice]:
    found: list[Slice] = []
    for column in package.manifest.columns:
        values = data.table[column.name][fresh]
        kind = COLUMN_KINDS[column.kind]
        if kind.has_range:
            found += _ordered_slices(column, kind.range_values(values))
        elif not kind.takes_any_text(column):
            found += _value_slices(column.name, values)
    return [each for each in found if each.rows.sum() >= MIN_SLICE]


def _ordered_slices(column: Column, values: Floats) -> list[Slice]:
    if np.isnan(values).all():
        return []
    middle = float(np.nanmedian(values))
    shown = COLUMN_KINDS[column.kind].format_bound(column, middle, digits=4)
    return [
        Slice(f"{column.name} <= {shown}", values <= middle),
        Slice(f"{column.name} > {shown}", values > middle),
    ]


def _value_slices(name: str, values: CellArray) -> list[Slice]:
    present = sorted({str(value) for value in values if value is not None})
    return [
        Slice(f"{name} = {text}", np.array([str(value) == text for value in values]))
        for text in present
    ]
