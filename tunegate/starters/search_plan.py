"""How large a search a table gets, so that it ends within minutes on two cores.

The work of a trial is about rows x columns x trees x fits. Up to 5,000 rows a search is as thorough
as the shipped one; above, trees, folds and trials become fewer, and each tree draws fewer rows, for
with many rows each of these matters less.

A search over several learners has twice the trials. Each parameter then has its learner's name in
front, and `model` chooses the learner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from katib.search.families import MODEL
from trainer.learners import LEARNERS
from trainer.learners.parameters import Hyperparameters, Searched
from trainer.profile import TableProfile
from tunegate.starters.learner_choice import FOREST, FOREST_ONLY, LearnerChoice


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One parameter of the search space, as Katib writes it.

    Attributes:
        name: the trainer's name of the hyperparameter.
        kind: Katib's parameter type.
        space: the feasible space as YAML.
        meaning: what the parameter does, in a few words.
    """

    name: str
    kind: str
    space: str
    meaning: str

    @property
    def trial_name(self) -> str:
        """The name by which the trial's command refers to it: `max_depth` is `maxDepth`."""
        first, *others = self.name.split("_")
        return first + "".join(word.capitalize() for word in others)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The size of a search, and its space.

    Attributes:
        trials: how many.
        parallel: how many at a time.
        trees: of each forest.
        folds: of the cross-validation.
        seconds: after which a trial on a cluster is ended.
        parameters: what is searched.
        learners: what a trial's model may be.
        fixed: the flags of the trial's command that are the same in every trial.
    """

    trials: int
    parallel: int
    trees: int
    folds: int
    seconds: int
    parameters: tuple[SearchParameter, ...]
    learners: tuple[str, ...] = (FOREST,)
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Size:
    """A search for tables of up to so many cells (rows x columns)."""

    cells: float
    trials: int
    trees: int
    folds: int
    drawn: tuple[str, str]


SIZES = (
    _Size(100_000, 20, 200, 5, ("0.5", "1.0")),
    _Size(400_000, 16, 100, 5, ("0.3", "1.0")),
    _Size(2_000_000, 12, 50, 3, ("0.1", "0.6")),
    _Size(float("inf"), 8, 50, 3, ("0.02", "0.2")),
)
PARALLEL = 2
LEAST_SECONDS = 600
SECONDS_PER_CELL = 1e-3
LEAST_LEAF = 20
ROWS_PER_LEAF = 50
DEEPEST = 30
FORESTS = frozenset({FOREST, "extra_trees"})  # whose trees are not searched, but fixed
MORE_TRIALS = 2  # times as many where the learner is searched too
MORE_TREES = 5  # times as many as a forest's, at most, for learners that search their number
TREES = frozenset({"n_estimators", "max_iter"})


def plan_search(profile: TableProfile, learners: LearnerChoice = FOREST_ONLY) -> SearchPlan:
    """Return the search that suits the table's task and size."""
    cells = profile.rows * max(len(profile.kept), 1)
    size = next(size for size in SIZES if cells <= size.cells)
    plan = SearchPlan(
        trials=size.trials,
        parallel=PARALLEL,
        trees=size.trees,
        folds=size.folds,
        seconds=max(LEAST_SECONDS, round(cells * SECONDS_PER_CELL)),
        parameters=tuple(_forest_space(profile, size)),
        fixed=(f"--n-estimators={size.trees}",),
    )
    if learners.names == FOREST_ONLY.names:
        return plan
    if len(learners.names) == 1:
        name = learners.names[0]
        return replace(
            plan,
            parameters=tuple(_learner_space(name, profile, size)),
            learners=learners.names,
            fixed=(f"--model={name}", *_fixed_trees(name, "", size)),
        )
    return replace(
        plan,
        trials=MORE_TRIALS * size.trials,
        parameters=tuple(_families_space(learners.names, profile, size)),
        learners=learners.names,
        fixed=tuple(
            flag
            for name in learners.names
            for flag in _fixed_trees(name, f"{name.replace('_', '-')}-", size)
        ),
    )


def _families_space(
    names: Sequence[str], profile: TableProfile, size: _Size
) -> Iterator[SearchParameter]:
    yield SearchParameter(MODEL, "categorical", _list(names), "which learner")
    for learner in names:
        for parameter in _learner_space(learner, profile, size):
            yield replace(
                parameter,
                name=f"{learner}_{parameter.name}",
                meaning=f"{parameter.meaning}; {learner} only",
            )


def _fixed_trees(learner: str, prefix: str, size: _Size) -> list[str]:
    if learner in FORESTS:
        return [f"--{prefix}n-estimators={size.trees}"]
    return []


def _learner_space(learner: str, profile: TableProfile, size: _Size) -> list[SearchParameter]:
    if learner in FORESTS:
        return _forest_space(profile, size)
    kind = LEARNERS[learner].parameters
    return [
        _searched_parameter(name, _takes_integers(kind, name), where, size)
        for name, where in kind.searched().items()
    ]


def _takes_integers(kind: type[Hyperparameters], name: str) -> bool:
    """Whether a parameter's numbers are integers: `int | None` is, `float | str` is not."""
    found: list[object] = [kind.model_fields[name].annotation]
    types = set[object]()
    while found:
        each = found.pop()
        found += get_args(each)
        types.add(each)
    return int in types and float not in types


def _searched_parameter(
    name: str,
    is_integer: bool,  # noqa: FBT001 - called once
    where: Searched,
    size: _Size,
) -> SearchParameter:
    high = where.high
    if name in TREES:
        high = min(high, MORE_TREES * size.trees)
    kind = "double"
    ends = [str(float(where.low)), str(float(high))]
    if is_integer:
        kind = "int"
        ends = [str(int(where.low)), str(int(high))]
    space = _range(*ends)
    if where.log:
        space = _log_range(*ends)
    return SearchParameter(name, kind, space, name.replace("_", " "))


def _forest_space(profile: TableProfile, size: _Size) -> list[SearchParameter]:
    largest_leaf = min(LEAST_LEAF, max(2, profile.rows // ROWS_PER_LEAF))
    if size is SIZES[0]:
        bootstrap = ["true", "false"]
    else:
        bootstrap = []  # each tree on all rows would be the slowest
    space = [
        SearchParameter(
            "max_features", "double", _range("0.15", "1.0"), "share of columns tried at a split"
        ),
        SearchParameter(
            "min_samples_leaf", "int", _log_range(1, largest_leaf), "least rows in a leaf"
        ),
        SearchParameter(
            "min_samples_split", "int", _log_range(2, largest_leaf + 10), "least rows to split"
        ),
        SearchParameter("max_depth", "int", _range("4", str(DEEPEST)), "deepest level"),
    ]
    if bootstrap:
        space.append(
            SearchParameter("bootstrap", "categorical", _list(bootstrap), "draw rows for each tree")
        )
    space.append(
        SearchParameter("max_samples", "double", _range(*size.drawn), "share of rows drawn")
    )
    criteria = _criteria(profile)
    if len(criteria) > 1:
        space.append(
            SearchParameter("criterion", "categorical", _list(criteria), "what a split minimises")
        )
    return space


def _criteria(profile: TableProfile) -> Sequence[str]:
    target = profile.target
    if target.task == "classification":
        return ["gini", "entropy"]
    if target.smallest is not None and target.smallest >= 0:
        return ["squared_error", "poisson"]
    return ["squared_error"]


def _range(low: str, high: str) -> str:
    return f'{{ min: "{low}", max: "{high}" }}'


def _log_range(low: object, high: object) -> str:
    return f'{{ min: "{low}", max: "{high}", distribution: logUniform }}'


def _list(values: Sequence[str]) -> str:
    texts = ", ".join(f'"{value}"' for value in values)
    return f"{{ list: [{texts}] }}"
