"""The manifest: everything about a model except its arrays, validated before all else is read."""

from typing import Annotated, Literal

from msgspec import Meta

from registry.package.columns import Column
from registry.package.losses import METRICS
from registry.record import END, Positive, Record, Sha256, Share

RESERVED = frozenset({"model_version", "probabilities", "interval"})  # an answer's other fields
Scalar = bool | int | float | str | None


class Output(Record, frozen=True, kw_only=True):
    """How the sums of leaves become a prediction: `link(base + (mean | sum) of the trees)`."""

    combine: Literal["mean", "sum"] = "mean"
    base: tuple[float, ...] = ()
    link: Literal["identity", "logistic", "softmax"] = "identity"


class CrossValidation(Record, frozen=True, kw_only=True):
    """The trial's result: the metric's mean over `folds`, and each fold's own score."""

    metric: str
    score: float
    folds: tuple[float, ...]
    seed: int


class Interval(Record, frozen=True, kw_only=True):
    """A prediction interval: the prediction ± `half_width`.

    `half_width` is the ceil((n + 1) coverage)-th smallest of the n absolute out-of-fold residuals:
    the jackknife with folds instead of single rows (Barber et al. 2021, "Predictive inference with
    the jackknife+", section 1).

    Attributes:
        coverage: share of observations that the interval should contain.
        half_width: in the target's unit.
        measured: share of the training rows that it contained in cross-validation, each fold judged
            by the others.
    """

    method: Literal["cv_residuals"] = "cv_residuals"
    coverage: Annotated[float, Meta(gt=0, lt=1)]
    half_width: Annotated[float, Meta(ge=0)]
    measured: Share


class Provenance(Record, frozen=True, kw_only=True):
    """Where the model came from; empty when the trainer was run by hand."""

    experiment: str = ""
    trial: str = ""
    git_commit: str = ""


class Manifest(Record, frozen=True, kw_only=True):
    """Contents of `manifest.json`. It holds no time: the same inputs give the same bytes."""

    format: Literal[1] = 1
    name: Annotated[str, Meta(pattern=rf"^[a-z0-9]([a-z0-9_-]{{0,62}}){END}")]
    task: Literal["regression", "classification"]
    target: str
    prediction: str
    classes: tuple[bool | int | str, ...] = ()
    columns: Annotated[tuple[Column, ...], Meta(min_length=1)]
    ignored: tuple[str, ...] = ()
    metric: str
    algorithm: Literal["random_forest", "xgboost"]
    parameters: dict[str, Scalar]
    seed: int
    output: Output = Output()
    target_range: tuple[float, float]
    training_rows: Positive
    fingerprint: Sha256
    holdout: Sha256
    cross_validation: CrossValidation
    interval: Interval | None = None
    versions: dict[str, str]
    provenance: Provenance = Provenance()
    files: dict[str, Sha256]

    def __post_init__(self) -> None:
        """Check that the fields agree.

        Raises:
            ValueError: when they do not.
        """
        if self.metric not in METRICS[self.task]:
            raise ValueError(f"metric {self.metric} does not fit a {self.task}")
        if (self.task == "classification") != bool(self.classes):
            raise ValueError("classes are for classification, and needed there")
        if self.classes and self.interval:
            raise ValueError("an interval is for a regression")
        if self.prediction in RESERVED:
            raise ValueError(
                f"an answer has a field {self.prediction} already; name the prediction otherwise"
            )
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("two columns share a name")

    @property
    def n_outputs(self) -> int:
        """Columns of a prediction: 1, or the number of classes."""
        return len(self.classes) or 1

    @property
    def width(self) -> int:
        """Encoded features."""
        return sum(column.width for column in self.columns)
