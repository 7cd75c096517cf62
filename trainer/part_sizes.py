"""What a training part and a holdout must have at least, and what to do where they have less."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.spec import DataSetSpec

MIN_TRAINING = 20
MIN_HOLDOUT = 10
MIN_PER_CLASS = 5  # in the training part: as many as a cross-validation has folds
MANY_CLASSES = 20
MAX_NAMED = 3

Targets = NDArray[np.float64]
Label = bool | int | str


def check_sizes(
    training: Targets, holdout: Targets, classes: Sequence[Label], spec: DataSetSpec
) -> None:
    """Refuse parts that are too small.

    Args:
        training: the training part's targets, or class indices.
        holdout: the holdout's.
        classes: the classes; empty for a regression.
        spec: what was split, and how.

    Raises:
        DataError: saying how these rows can be split, if they can.
    """
    for targets, name, least in (
        (training, "training part", MIN_TRAINING),
        (holdout, "holdout", MIN_HOLDOUT),
    ):
        if len(targets) < least:
            raise DataError(
                f"{spec.name}: too few rows: {len(targets)} in the {name}, at least {least} needed",
                hint=_split_hint(len(training) + len(holdout), spec),
            )
    if np.ptp(training) == 0:
        raise DataError(
            f"target {spec.target}: constant in the training part, so there is nothing to learn"
        )
    if classes:
        _check_classes(training, holdout, classes, spec)


def _split_hint(rows: int, spec: DataSetSpec) -> str:
    """Return the split that gives both parts enough of these rows."""
    if rows < MIN_TRAINING + MIN_HOLDOUT:
        return f"at least {MIN_TRAINING} + {MIN_HOLDOUT} rows are needed; there are {rows}"
    least = math.ceil(100 * MIN_HOLDOUT / rows) / 100
    most = math.floor(100 * (rows - MIN_TRAINING) / rows) / 100
    share = min(max(spec.split.holdout, least), max(least, most))
    lines = []
    if not spec.split.time:
        lines.append('method = "stratified"')
    if share != spec.split.holdout:
        lines.append(f"holdout = {share:g}")
    held = round(share * rows)
    lines_text = " and ".join(lines)
    return f"write {lines_text} below [split]: {rows - held} rows to learn from, {held} held out"


def _check_classes(
    training: Targets, holdout: Targets, classes: Sequence[Label], spec: DataSetSpec
) -> None:
    learned = np.bincount(training.astype(int), minlength=len(classes))
    rare = np.flatnonzero(learned < MIN_PER_CLASS)
    if not rare.size:
        return
    named = ", ".join(repr(classes[index]) for index in rare[:MAX_NAMED])
    if rare.size == 1:
        message = f"class {named}: too few rows: {learned[rare[0]]} in the training part"
    else:
        more = "" if rare.size <= MAX_NAMED else ", ..."
        message = (
            f"{rare.size} of {len(classes)} classes ({named}{more}): too few rows: "
            f"{learned[rare].min()} in the training part"
        )
    owned = learned + np.bincount(holdout.astype(int), minlength=len(classes))
    raise DataError(
        f"{message}, at least {MIN_PER_CLASS} needed",
        hint=_class_hint(int(owned[rare].min()), classes, spec),
    )


def _class_hint(rows: int, classes: Sequence[Label], spec: DataSetSpec) -> str:
    """Return what to do where the rarest class has so many rows in the whole table."""
    if len(classes) > MANY_CLASSES:
        count = len(classes)
        return f'the target has {count} different values; if it is a number: task = "regression"'
    if spec.split.method in {"hash", "seeded"}:
        stays = rows - math.ceil(spec.split.holdout * rows)
        if stays >= MIN_PER_CLASS:
            return f'write method = "stratified" below [split]: {stays} of its {rows} rows stay'
    return (
        f"collect more rows of this class (there are {rows}), join it with another, "
        "or remove its rows"
    )
