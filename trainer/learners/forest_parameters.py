"""What the hyperparameters of scikit-learn's trees have in common."""

from typing import Annotated, Literal, Self

from pydantic import Field

from trainer.errors import ParameterError
from trainer.learners.parameters import (
    Depth,
    Fraction,
    Hyperparameters,
    LeafRows,
    OrNone,
    Searched,
    SplitRows,
    Trees,
)

REGRESSION = ("squared_error", "absolute_error", "poisson")
CLASSIFICATION = ("gini", "entropy", "log_loss")
Bootstrap = Annotated[bool, Field(description="true or false")]
Criterion = Annotated[
    Literal["squared_error", "absolute_error", "poisson", "gini", "entropy", "log_loss"] | None,
    Field(
        description="squared_error, absolute_error or poisson for regression; "
        "gini, entropy or log_loss for classification"
    ),
]
MaxFeatures = Annotated[
    Fraction | Literal["sqrt", "log2"] | None,
    Searched(0.1, 1.0),
    Field(
        description="a share above 0 and up to 1, sqrt or log2; "
        "default 1 for regression, sqrt for classification"
    ),
]
MaxSamples = Annotated[
    Fraction | None,
    OrNone,
    Field(description="a share above 0 and up to 1, or none; not used without bootstrap"),
]


class ForestParameters(Hyperparameters):
    """Parameters, with defaults, of scikit-learn's forests of trees."""

    n_estimators: Trees = 100
    max_depth: Depth = None
    min_samples_split: Annotated[SplitRows, Searched(2, 40, log=True)] = 2
    min_samples_leaf: Annotated[LeafRows, Searched(1, 20, log=True)] = 1
    max_features: MaxFeatures = None
    max_samples: MaxSamples = None
    bootstrap: Bootstrap = True
    criterion: Criterion = None

    def for_task(self, task: str, *, smallest_target: float = 0.0) -> Self:
        """Fill in criterion and `max_features`; drop a bagging share without bagging.

        Raises:
            ParameterError: when the criterion does not fit the task or the target.
        """
        default_features: float | str = "sqrt"
        if task == "regression":
            default_features = 1.0
        return self.model_copy(
            update={
                "criterion": fitting_criterion(self.criterion, task, smallest_target),
                "max_features": self.max_features or default_features,
                # scikit-learn refuses a bagging share without bagging, and Katib has no
                # conditional parameters.
                "max_samples": self.max_samples if self.bootstrap else None,
            }
        )


def fitting_criterion(criterion: str | None, task: str, smallest_target: float) -> str:
    """Return the criterion, or the task's default.

    Raises:
        ParameterError: when it does not fit the task or the target.
    """
    allowed = CLASSIFICATION
    if task == "regression":
        allowed = REGRESSION
    found = criterion or allowed[0]
    if found not in allowed:
        raise ParameterError(
            f"--criterion: {found} is not for {task}", hint=f"allowed: {', '.join(allowed)}"
        )
    if found == "poisson" and smallest_target < 0:
        raise ParameterError(
            "--criterion: poisson needs a target that is never negative", hint="use squared_error"
        )
    return found
