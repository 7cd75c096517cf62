"""What a learner is: how to make its estimator, and how its fitted model becomes a package."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Any

from registry.package import Output, Predictor
from trainer.errors import ParameterError, TrainerError
from trainer.learners.parameters import Hyperparameters

Estimator = Any  # fitted or not, of any library; they share no type
Flatten = Callable[[Estimator, int], tuple[Predictor, Output]]
Assemble = Callable[[Estimator, Any], Estimator]  # with the learner's own hyperparameters
MODEL_STEP = "model"  # the last step's name in a pipeline that a learner assembles
NO_ERROR = 0.0


@dataclass(frozen=True, slots=True)
class Learner:
    """One entry of the table of learners.

    Attributes:
        name: as `--model` takes it and the manifest's `algorithm` states it.
        words: what it is, in half a sentence.
        parameters: the type of its hyperparameters.
        classes: the estimator's class by task, as `module:class`.
        flatten: turns a fitted estimator of n encoded features into the package's model; raises
            TrainerError for a model that the package cannot hold.
        left_categories: of a fitted estimator that divides categories itself, the codes that go
            left at such a node, by the node's place in the flat forest. `flatten` gives it any
            threshold.
        fixed: settings that are not searched, such as those that make fits repeatable.
        extra: the extra of tunegate that installs the library; empty if every trainer has it.
        averages: whether class shares are means over trees, and therefore smoothed.
        assemble: puts an estimator at the end of the pipeline that belongs to it, which some
            hyperparameters are for; None where it takes encoded features as they are.
        of_pipeline: the hyperparameters that `assemble` reads; the others are the estimator's.
        share_error: how far a class share may differ from the library's own, by its arithmetic of
            exp; sums differ by no more than `Predictor.rounding`.
        library_error: the library's own exception for data or values that it refuses, as
            `module:class`; empty where that is ValueError.
    """

    name: str
    words: str
    parameters: type[Hyperparameters]
    classes: Mapping[str, str]
    flatten: Flatten
    left_categories: Callable[[Estimator], Mapping[int, frozenset[int]]] = lambda _: {}
    fixed: Mapping[str, object] = field(default_factory=dict)
    extra: str = ""
    averages: bool = False
    assemble: Assemble | None = None
    of_pipeline: Sequence[str] = ()
    share_error: float = NO_ERROR
    library_error: str = ""

    def make_estimator(
        self, parameters: Hyperparameters, task: str, *, seed: int, n_jobs: int
    ) -> Estimator:
        """Return an estimator that has not been fitted.

        Raises:
            ParameterError: when the learner is not for the task.
            TrainerError: when the library is not installed.
        """
        self.check_task(task)
        module, _, name = self.classes[task].partition(":")
        estimator = getattr(self._import_library(module), name)()
        common = {"random_state": seed, "n_jobs": n_jobs}
        known = {*estimator.get_params(), *signature(type(estimator)).parameters}
        settings = {name: value for name, value in common.items() if name in known}
        own = parameters.model_dump(exclude=set(self.of_pipeline))
        estimator.set_params(**{**settings, **self.fixed, **own})
        if self.assemble:
            return self.assemble(estimator, parameters)
        return estimator

    def check_task(self, task: str) -> None:
        """Check that the learner is for a task.

        Raises:
            ParameterError: when it is not.
        """
        if task not in self.classes:
            raise ParameterError(
                f"--model {self.name}: it is for {' and '.join(self.classes)}, not for {task}",
                hint="`--help` lists all learners; docs/models.md says what each is for",
            )

    @property
    def weight_argument(self) -> str:
        """The name by which `fit` takes the rows' weights."""
        if self.assemble:
            return f"{MODEL_STEP}__sample_weight"
        return "sample_weight"

    def made(self, estimator: Estimator) -> bool:
        """Whether an estimator, or the last step of a pipeline, is of this learner's classes."""
        kind = type(last_step(estimator))
        library = kind.__module__.partition(".")[0]
        for path in self.classes.values():
            module, _, name = path.partition(":")
            if (module.partition(".")[0], name) == (library, kind.__name__):
                return True
        return False

    def refusals(self) -> tuple[type[Exception], ...]:
        """Return the exceptions by which `fit` refuses data or values."""
        if not self.library_error:
            return (ValueError,)
        module, _, name = self.library_error.partition(":")
        return (ValueError, getattr(import_module(module), name))

    @property
    def library(self) -> str:
        """The import package of the library."""
        return next(iter(self.classes.values())).partition(":")[0].partition(".")[0]

    def _import_library(self, module: str) -> Any:  # noqa: ANN401 - any library
        try:
            return import_module(module)
        except ImportError as error:
            raise TrainerError(
                f"--model {self.name}: the package {self.library} is not installed",
                hint=f"pip install 'tunegate[{self.extra}]'",
            ) from error


def last_step(estimator: Estimator) -> Estimator:
    """Return what a fitted pipeline ends in, or the estimator itself."""
    inner = getattr(estimator, "regressor_", estimator)  # behind a target's scaling
    steps = getattr(inner, "steps", None)
    if steps:
        return steps[-1][1]
    return inner
