"""What the gate can say of its own answer: the gain it could have seen, the row that decides."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Groups, compare_losses
from promote.policy import GatePolicy
from promote.verdict import ChallengeCount, Comparison
from registry.metric_names import readable_number
from registry.package import COLUMN_KINDS, Manifest
from registry.package.columns import CellArray

Positions = NDArray[np.int64]
USUAL_POWER = 0.8  # share of cases
INTERVAL_WIDTH = 2 * NormalDist().inv_cdf(0.95)  # of the 90 % interval, in standard errors
NAMED_COLUMNS = 3
HEAVY = 0.5  # share of the loss


class RowFinding(NamedTuple):
    """A row that alone decides a comparison, or makes most of the loss.

    Attributes:
        position: among the rows compared.
        words: what it does.
    """

    position: int
    words: str


def detectable_gain(found: Comparison, least: float, *, power: float = USUAL_POWER) -> float:
    """Return the true gain that passes a threshold in a share of cases, with rows such as these.

    Args:
        found: the comparison; its interval says how much the mean gain varies.
        least: P(better) that is asked for.
        power: the share of cases.
    """
    error = (found.high - found.low) / INTERVAL_WIDTH
    normal = NormalDist()
    return (normal.inv_cdf(min(least, 0.9999)) + normal.inv_cdf(power)) * error


def detection_power(found: Comparison, least: float, gain: float) -> float:
    """Return the share of cases in which a true gain passes; the reverse of `detectable_gain`.

    Args:
        found: the comparison, whose interval is not a point.
        least: P(better) that is asked for.
        gain: the true one, in the loss's unit.
    """
    error = (found.high - found.low) / INTERVAL_WIDTH
    normal = NormalDist()
    return normal.cdf(gain / error - normal.inv_cdf(min(least, 0.9999)))


def power_text(found: Comparison, least: float) -> str:
    """Return which gains key 1 finds how often, as a sentence."""
    shares = []
    for power in (0.5, USUAL_POWER, 0.95):
        gain = detectable_gain(found, least, power=power)
        relative = f" ({gain / found.champion:.0%})" if found.champion > 0 else ""
        shares.append(f"{readable_number(gain, 3)}{relative} in {power:.0%}")
    return f"with these rows a true gain of {', of '.join(shares)} of cases gets past key 1"


def challenge_text(count: ChallengeCount, policy: GatePolicy) -> str:
    """Return which challenge this is and what it therefore needs, as a sentence."""
    text = f"challenge {count.number} of a champion on these rows"
    if count.least is None or not policy.challenges_alpha:
        return text
    return (
        f"{text}; the more often the same rows decide, the likelier one looks better by luck, so "
        f"key 1 asks for P(better) of {share_text(count.least)} now; fresh rows lower it again"
    )


def share_text(share: float) -> str:
    """Return a threshold with two digits, or with as many as it has up to five."""
    short = f"{share:.2f}"
    return short if float(short) == round(share, 5) else f"{share:.5f}".rstrip("0")


def find_deciding_row(
    champion: Floats,
    candidate: Floats,
    least: float,
    policy: GatePolicy,
    group: Groups | None = None,
) -> RowFinding | None:
    """Return the row without which a threshold would be met, or missed; or one as heavy as all.

    A mistyped target among the training rows spoils fits as well, so that leaving out its loss
    alone does not change the decision; but it then makes most of the loss.

    Args:
        champion: float64 (n,), losses.
        candidate: float64 (n,), of the same rows.
        least: P(better) that is asked for.
        policy: resamples and seed.
        group: uint64 (n,), equal where rows belong together.

    Returns:
        None if no single row matters that much.
    """

    def compare(rows: slice | Positions) -> Comparison:
        return compare_losses(
            champion[rows],
            candidate[rows],
            resamples=policy.resamples,
            seed=policy.seed,
            group=None if group is None else group[rows],
        )

    passed = compare(slice(None)).p_better >= least
    gain = champion - candidate
    position = int(gain.argmax() if passed else gain.argmin())
    without = compare(np.delete(np.arange(len(gain)), position)).p_better
    if (without >= least) != passed:
        return RowFinding(position, f"one row decides, without it P(better) is {without:.3f}")
    position = int(candidate.argmax())
    total = candidate.sum()
    if candidate[position] > HEAVY * total:
        return RowFinding(
            position, f"one row makes {candidate[position] / total:.0%} of the candidate's loss"
        )
    return None


def row_text(manifest: Manifest, table: Mapping[str, CellArray], y: Floats, position: int) -> str:
    """Name a row by its target and some of its cells, the most important columns first."""
    target: object = readable_number(float(y[position]), 6)
    if manifest.classes:
        target = manifest.classes[int(y[position])]
    ranked = [each.column for each in manifest.importances]
    columns = {column.name: column for column in manifest.columns}
    names = [name for name in ranked if name in columns] or list(columns)
    cells = [f"{manifest.target} = {target}"]
    for name in names[:NAMED_COLUMNS]:
        cell = COLUMN_KINDS[columns[name].kind].json_cell(columns[name], table[name][position])
        cells.append(f"{name} = {cell}")
    return ", ".join(cells)
