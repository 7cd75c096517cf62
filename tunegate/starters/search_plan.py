"""How large a search a table gets, so that it ends within minutes on two cores.

The work of a trial is about rows x columns x trees x fits. Up to 5,000 rows a search is as thorough
as the shipped one; above, trees, folds and trials become fewer, and each tree draws fewer rows, for
with many rows each of these matters less. A random forest has a space of its own here; another
learner's is the one that the trainer's table states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainer.learners import Learner, Searched, find_learner_by_name
from trainer.profile import TableProfile


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
        model: the learner's name.
        trees: of each model; 0 where it has none, or their number is searched.
        folds: of the cross-validation.
        seconds: after which a trial on a cluster is ended.
        parameters: what is searched.
    """

    trials: int
    parallel: int
    model: str
    trees: int
    folds: int
    seconds: int
    parameters: tuple[SearchParameter, ...]

    @property
    def words(self) -> str:
        """What its trials fit, after "trials of": `200 trees`, `ridge`."""
        what = [] if self.model == FOREST else [self.model]
        if self.trees:
            what.append(f"{self.trees} trees")
        return " with ".join(what)


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
FOREST = "random_forest"
TREES = "n_estimators"


def plan_search(profile: TableProfile, model: str = FOREST) -> SearchPlan:
    """Return the search that suits the table's task and size.

    Args:
        profile: the table's.
        model: a key of `LEARNERS`.

    Raises:
        ParameterError: when there is no such learner, or it is not for the table's task.
    """
    learner = find_learner_by_name(model)
    learner.check_task(profile.target.task)
    cells = profile.rows * max(len(profile.kept), 1)
    size = next(size for size in SIZES if cells <= size.cells)
    return SearchPlan(
        trials=size.trials,
        parallel=PARALLEL,
        model=model,
        trees=size.trees if _has_fixed_trees(learner) else 0,
        folds=size.folds,
        seconds=max(LEAST_SECONDS, round(cells * SECONDS_PER_CELL)),
        parameters=tuple(_search_space(profile, size, learner)),
    )


def _has_fixed_trees(learner: Learner) -> bool:
    parameters = learner.parameters
    return TREES in parameters.model_fields and TREES not in parameters.searched()


def _search_space(
    profile: TableProfile, size: _Size, learner: Learner
) -> Iterable[SearchParameter]:
    if learner.name == FOREST:
        return _forest_space(profile, size)
    searched = learner.parameters.searched()
    return [_stated_parameter(name, where) for name, where in searched.items()]


def _stated_parameter(name: str, where: Searched) -> SearchParameter:
    kind = "double"
    if isinstance(where.low, int) and isinstance(where.high, int):
        kind = "int"
    space = _range(f"{where.low}", f"{where.high}")
    meaning = "a linear scale"
    if where.log:
        space = _log_range(where.low, where.high)
        meaning = "a logarithmic scale"
    return SearchParameter(name, kind, space, meaning)


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


def _log_range(low: float, high: float) -> str:
    return f'{{ min: "{low}", max: "{high}", distribution: logUniform }}'


def _list(values: Sequence[str]) -> str:
    texts = ", ".join(f'"{value}"' for value in values)
    return f"{{ list: [{texts}] }}"
