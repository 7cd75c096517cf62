"""The target: which task it asks for, by which metric, and what is difficult about it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.profile.column_facts import ColumnFacts
from trainer.spec import DEFAULT_METRIC

Task = Literal["regression", "classification"]
TASKS: tuple[Task, ...] = ("regression", "classification")
MOST_CLASSES = 20  # of a target of whole numbers
LEAST_PER_CLASS = 8  # of them; with fewer, the training part may have too few to learn from
SKEWED = 2.0


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """What is to be predicted.

    Attributes:
        name: the column's name.
        task: "regression" or "classification".
        reason: why it is this task.
        metric: what the search minimises.
        missing: rows without a target.
        classes: class and its number of rows, the most frequent first; empty for a regression.
        smallest: of a regression, the smallest value.
        largest: of a regression, the largest value.
        skewed: whether a regression's target would be easier to learn on a log scale.
    """

    name: str
    task: Task
    reason: str
    metric: str
    missing: int = 0
    classes: tuple[tuple[str, int], ...] = ()
    smallest: float | None = None
    largest: float | None = None
    skewed: bool = False

    @property
    def rarest(self) -> tuple[str, int] | None:
        """The class with the fewest rows, and their number."""
        return self.classes[-1] if self.classes else None


def profile_target(target: ColumnFacts, task: str = "") -> TargetProfile:
    """Describe the target; `task` overrules the rule.

    Texts, true and false, numbers of two values, and whole numbers of at most 20 values with 8 rows
    each are classes. All other numbers are a regression.

    Raises:
        DataError: when the task is none, or the target has no value, or one only.
    """
    if task and task not in TASKS:
        raise DataError(f"task {task!r} is not known", hint=f"tasks: {', '.join(TASKS)}")
    if target.distinct < 2:  # noqa: PLR2004 - nothing differs
        value = f"says {str(target.levels[0])!r} in every row" if target.distinct else "is empty"
        raise DataError(f"target {target.name}: {value}, so there is nothing to learn")
    found, reason = _infer_task(target)
    if task and task != found:
        found = next(known for known in TASKS if known == task)
        reason = "as stated"
    metric = DEFAULT_METRIC[found]
    if found == "classification":
        classes = _count_classes(target)
        return TargetProfile(target.name, found, reason, metric, target.missing, classes)
    if not target.is_numeric:
        return TargetProfile(target.name, found, reason, metric, target.missing)
    values = target.numbers[np.isfinite(target.numbers)]
    return TargetProfile(
        target.name,
        found,
        reason,
        metric,
        target.missing,
        smallest=float(values.min()),
        largest=float(values.max()),
        skewed=_is_skewed(values),
    )


def _infer_task(target: ColumnFacts) -> tuple[Task, str]:
    if target.is_boolean:
        return "classification", "it says true or false"
    if target.looks_like_numbers:
        return "regression", "most of its texts are numbers"
    if not target.is_numeric:
        return "classification", f"it has {target.distinct} different texts"
    if target.distinct == 2:  # noqa: PLR2004 - two classes
        return "classification", "it has 2 values"
    return _infer_task_of_numbers(target)


def _infer_task_of_numbers(target: ColumnFacts) -> tuple[Task, str]:
    if not target.is_whole:
        return "regression", "it has numbers with fractions"
    if target.distinct > MOST_CLASSES:
        return "regression", f"it has {target.distinct:,} different numbers"
    if (rarest := int(target.counts.min())) < LEAST_PER_CLASS:
        value = int(target.levels[int(target.counts.argmin())])
        return "regression", f"{value} is in {rarest} rows only, too few for a class"
    return "classification", f"it has {target.distinct} whole numbers"


def _count_classes(target: ColumnFacts) -> tuple[tuple[str, int], ...]:
    order = np.argsort(-target.counts, kind="stable")
    return tuple((_label(target.levels[i]), int(target.counts[i])) for i in order)


def _label(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _is_skewed(values: NDArray[np.float64]) -> bool:
    if values.min() < 0:
        return False
    skewness = _skewness(values)
    return skewness > SKEWED and abs(_skewness(np.log1p(values))) < skewness / 2


def _skewness(values: NDArray[np.float64]) -> float:
    scaled = values / np.abs(values).max()  # its squares do not overflow
    return float(np.mean(((scaled - scaled.mean()) / scaled.std()) ** 3))
