"""Limits on what a model says of its own doubt; none is set unless the policy states it.

A candidate may have the lower loss and still claim shares, or intervals, that do not come true. In
`tunegate.toml`:

    [gate]
    max_calibration_error = 0.05   # of class shares
    min_coverage = 0.85            # of prediction intervals, in all rows and in each slice

Both are measured on the holdout rows to judge by. Few rows stray by luck, so a limit is broken only
where luck alone would hardly do it, and the check says what luck does.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Slice
from promote.policy import GatePolicy
from promote.verdict import Check
from registry.package import ModelPackage

BINS = 10  # of equally many rows
DOUBT = 0.05  # over all slices
DRAWS = 20_000  # of a binomial share; P below 0.05 of a hundred slices is still told apart


def stated_limit_checks(
    package: ModelPackage,
    predicted: Floats,
    y: Floats,
    slices: Sequence[Slice],
    policy: GatePolicy,
) -> Iterator[Check]:
    """Yield a check for each limit that the policy states, and one a slice for the coverage.

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
