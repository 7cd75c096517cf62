"""Hyperparameters: one pydantic model a learner, each field with its range and a description of it.

`--help` and errors print the description. Integers may arrive as `3.7`, because a search service
may hand out every parameter as a real number (Katib's skopt service does for those declared
double); they are rounded.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from trainer.errors import ParameterError

Given = Any  # whatever a flag, a variable or the caller gave


def _round_number(value: Given) -> Given:
    try:
        return round(float(value))
    except (TypeError, ValueError, OverflowError):
        return value


def _parse_none(value: Given) -> Given:
    if isinstance(value, str) and value.lower() == "none":
        return None
    return value


def _parse_depth(value: Given) -> Given:
    value = _parse_none(value)
    if value is None:
        return None
    return _round_number(value)


Integer = BeforeValidator(_round_number)
Trees = Annotated[int, Integer, Field(ge=1, le=10_000, description="an integer from 1 to 10000")]
Fraction = Annotated[FiniteFloat, Field(gt=0, le=1, description="a share above 0 and up to 1")]
NotNegative = Annotated[FiniteFloat, Field(ge=0, description="a number of at least 0")]


class _Hyperparameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RandomForest(_Hyperparameters):
    """Parameters, with defaults, of scikit-learn's RandomForestRegressor and -Classifier."""

    n_estimators: Trees = 100
    max_depth: Annotated[
        Annotated[int, Field(ge=1, le=1000)] | None,
        BeforeValidator(_parse_depth),
        Field(description="an integer from 1 to 1000, or none"),
    ] = None
    min_samples_split: Annotated[
        int, Integer, Field(ge=2, le=100_000, description="an integer from 2 to 100000")
    ] = 2
    min_samples_leaf: Annotated[
        int, Integer, Field(ge=1, le=100_000, description="an integer from 1 to 100000")
    ] = 1
    max_features: Annotated[
        Fraction | Literal["sqrt", "log2"] | None,
        Field(
            description="a share above 0 and up to 1, sqrt or log2; "
            "default 1 for regression, sqrt for classification"
        ),
    ] = None
    max_samples: Annotated[
        Fraction | None,
        BeforeValidator(_parse_none),
        Field(description="a share above 0 and up to 1, or none; not used without bootstrap"),
    ] = None
    bootstrap: Annotated[bool, Field(description="true or false")] = True
    criterion: Annotated[
        Literal["squared_error", "absolute_error", "poisson", "gini", "entropy", "log_loss"] | None,
        Field(
            description="squared_error, absolute_error or poisson for regression; "
            "gini, entropy or log_loss for classification"
        ),
    ] = None

    def for_task(self, task: str, *, smallest_target: float = 0.0) -> Self:
        """Fill in what depends on the task, and drop what has no effect.

        Raises:
            ParameterError: when the criterion does not fit the task or the target.
        """
        if task == "regression":
            allowed = ("squared_error", "absolute_error", "poisson")
            default_features: float | str = 1.0
        else:
            allowed = ("gini", "entropy", "log_loss")
            default_features = "sqrt"
        criterion = self.criterion or allowed[0]
        if criterion not in allowed:
            raise ParameterError(
                f"--criterion: {criterion} is not for {task}", hint=f"allowed: {', '.join(allowed)}"
            )
        if criterion == "poisson" and smallest_target < 0:
            raise ParameterError(
                "--criterion: poisson needs a target that is never negative",
                hint="use squared_error",
            )
        return self.model_copy(
            update={
                "criterion": criterion,
                "max_features": self.max_features or default_features,
                # scikit-learn refuses a bagging share without bagging, and Katib has no
                # conditional parameters.
                "max_samples": self.max_samples if self.bootstrap else None,
            }
        )


class XGBoost(_Hyperparameters):
    """Parameters of XGBoost's gradient-boosted trees, with its defaults."""

    n_estimators: Trees = 100
    max_depth: Annotated[
        int, Integer, Field(ge=1, le=30, description="an integer from 1 to 30")
    ] = 6
    learning_rate: Annotated[
        FiniteFloat, Field(gt=0, le=1, description="a number above 0 and up to 1")
    ] = 0.3
    min_child_weight: NotNegative = 1.0
    subsample: Fraction = 1.0
    colsample_bytree: Fraction = 1.0
    reg_lambda: NotNegative = 1.0

    def for_task(self, task: str, *, smallest_target: float = 0.0) -> Self:
        """Return itself: nothing depends on the task."""
        del task, smallest_target
        return self


Hyperparameters = RandomForest | XGBoost
LEARNERS: dict[str, type[RandomForest] | type[XGBoost]] = {
    "random_forest": RandomForest,
    "xgboost": XGBoost,
}


def hyperparameter_names() -> list[str]:
    """Return the field names of all learners, each once."""
    names = (name for learner in LEARNERS.values() for name in learner.model_fields)
    return list(dict.fromkeys(names))


def flag_name(name: str) -> str:
    """Return the command line's flag of a hyperparameter."""
    return "--" + name.replace("_", "-")


def parse_hyperparameters(algorithm: str, values: dict[str, Given]) -> Hyperparameters:
    """Check values, as text or typed, given by the learner's field names.

    Raises:
        ParameterError: naming each flag that is wrong, with what is allowed.
    """
    learner = LEARNERS[algorithm]
    try:
        return learner.model_validate(values)
    except ValidationError as error:
        names = list(dict.fromkeys(str(e["loc"][0]) for e in error.errors()))
        raise ParameterError(
            "; ".join(_explain_refusal(learner, algorithm, name, values) for name in names)
        ) from error


def _explain_refusal(
    learner: type[_Hyperparameters], algorithm: str, name: str, values: dict[str, Given]
) -> str:
    flag = flag_name(name)
    if name not in learner.model_fields:
        return f"{flag}: not a parameter of {algorithm}"
    return f"{flag}: {values[name]!r} is not allowed: {learner.model_fields[name].description}"
