"""Which learners a search chooses among, and where it looks for good hyperparameters of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from trainer.learners import LEARNERS, find_learner_by_name
from trainer.profile import TableProfile
from tunegate.errors import UsageError

ALL = "all"
FOREST = "random_forest"
NO_GAPS = frozenset({"gradient_boosting"})  # learners that refuse missing values


@dataclass(frozen=True, slots=True)
class LearnerChoice:
    """What a search chooses among.

    Attributes:
        names: of the learners, as `--model` takes them.
        left_out: of `all`, name and reason of each that this table, or this machine, rules out.
    """

    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()


FOREST_ONLY = LearnerChoice((FOREST,))


def choose_learners(text: str, profile: TableProfile) -> LearnerChoice:
    """Read what was asked for.

    Args:
        text: learners' names separated by commas; `all` for those that are installed and take the
            table; the random forest where empty.
        profile: the table's.

    Raises:
        ParameterError: when there is no such learner, or it is not for the table's task.
        UsageError: when a learner cannot be used.
    """
    if not text:
        return FOREST_ONLY
    if text == ALL:
        found = {name: [*_problems(name, profile), *_missing_library(name)] for name in LEARNERS}
        problems = {name: "; ".join(each) for name, each in found.items()}
        usable = tuple(name for name, problem in problems.items() if not problem)
        left_out = tuple((name, problem) for name, problem in problems.items() if problem)
        return LearnerChoice(usable, left_out)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        find_learner_by_name(name).check_task(profile.target.task)
        for problem in _problems(name, profile):
            raise UsageError(
                f"--model: {name} cannot be used: {problem}",
                hint="choose another, or fill the gaps",
            )
    return LearnerChoice(names)


def _problems(name: str, profile: TableProfile) -> Iterator[str]:
    learner = LEARNERS[name]
    task = profile.target.task
    if task not in learner.classes:
        yield f"it is not for {task}"
    if name in NO_GAPS and any(column.missing for column in profile.kept):
        yield "it takes no missing values"


def _missing_library(name: str) -> Iterator[str]:
    """Yield what installs it; a learner that was named may be installed where the trials run."""
    learner = LEARNERS[name]
    if find_spec(learner.library) is None:
        yield f"not installed: pip install 'tunegate[{learner.extra}]'"
