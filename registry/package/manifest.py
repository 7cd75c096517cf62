"""The manifest: everything about a model except its arrays, validated before all else is read."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from registry.package.columns import Column
from registry.package.metrics import METRICS
from registry.package.reference import MAX_REFERENCES, ColumnReference
from registry.record import END, Positive, Record, Sha256, Share

RESERVED = frozenset({"model_version", "probabilities", "interval"})  # an answer's other fields
Scalar = bool | int | float | str | None
MAX_FEATURES = 1 << 17  # encoded; a row is a float32 for each


Link = Literal["identity", "logistic", "softmax", "expm1"]


class Output(Record, frozen=True, kw_only=True):
    """How sums become a prediction: `link(base + (mean | sum) of the trees)`.

    A linear model's are combined by `sum`: it has no members to average.

    The link `expm1` takes a prediction of log(1 + target) back into the target's unit.

    Attributes:
        combine: how the trees' leaves are combined.
        base: float64 (n_outputs,), added to that; empty for nothing.
        link: what makes a prediction of it.
        smooth: whether class shares are smoothed, see `prediction.smooth_shares`. Forests of
            classification since release 0.3 are; older packages keep their shares.
    """

    combine: Literal["mean", "sum"] = "mean"
    base: tuple[float, ...] = ()
    link: Link = "identity"
    smooth: bool = False

    def __post_init__(self) -> None:
        """Check that shares are smoothed only where there are shares.

        Raises:
            ValueError: when anything but a mean of shares would be smoothed.
        """
        if self.smooth and (self.combine != "mean" or self.base or self.link != "identity"):
            raise ValueError("only the mean of the trees' class shares can be smoothed")


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


class TextRules(Record, frozen=True, kw_only=True):
    """How texts are read, in training and in requests alike.

    Attributes:
        missing: texts that mean a missing value, sorted.
        missing_in: more of them, by the column's name.
        strip: whether spaces around a text are taken off first.
    """

    missing: tuple[str, ...] = ()
    missing_in: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    strip: bool = False

    def markers(self, column: str) -> frozenset[str]:
        """Return the texts that mean a missing value in a column, as `clean` leaves them."""
        return frozenset(map(self.clean, (*self.missing, *self.missing_in.get(column, ()))))

    def clean(self, text: str) -> str:
        """Take off the spaces around a text where the rules say so."""
        return text.strip() if self.strip else text


class Importance(Record, frozen=True, kw_only=True):
    """How much the metric gets worse when a column's values are shuffled among rows left out.

    Attributes:
        column: its name.
        mean: the mean over folds and shuffles, in the metric's unit; above 0 the column helps.
        low: 5 % quantile.
        high: 95 % quantile.
    """

    column: str
    mean: float
    low: float
    high: float


class Provenance(Record, frozen=True, kw_only=True):
    """Where the model came from; empty when the trainer was run by hand."""

    experiment: str = ""
    trial: str = ""
    git_commit: str = ""


class Manifest(Record, frozen=True, kw_only=True):
    """Contents of `manifest.json`. It holds no time: the same inputs give the same bytes.

    Attributes:
        format: 1 until release 0.2; 2 since there are datetime and text columns, `texts`, `scores`,
            `importances`, `out_of_bag` and the link `expm1`; 3 where the model is linear or served
            elsewhere. Readers take all of them, and a package has the lowest that its model needs.
        scores: the task's metrics over all rows left out in cross-validation, by name.
        importances: of each column, the most important first; empty where they were not computed.
        out_of_bag: the metric over the rows that each tree was not fitted on; forests only.
        reference: where the training rows' values fell, for a server to compare requests with;
            empty in packages of earlier releases.
    """

    format: Literal[1, 2, 3] = 2
    name: Annotated[str, Meta(pattern=rf"^[a-z0-9]([a-z0-9_-]{{0,62}}){END}")]
    task: Literal["regression", "classification"]
    target: str
    prediction: str
    classes: tuple[bool | int | str, ...] = ()
    columns: Annotated[tuple[Column, ...], Meta(min_length=1)]
    ignored: tuple[str, ...] = ()
    metric: str
    algorithm: Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_]{{0,62}}{END}")]
    parameters: dict[str, Scalar]
    seed: int
    output: Output = Output()
    target_range: tuple[float, float]
    training_rows: Positive
    fingerprint: Sha256
    holdout: Sha256
    cross_validation: CrossValidation
    interval: Interval | None = None
    texts: TextRules = TextRules()
    scores: dict[str, float] = msgspec.field(default_factory=dict)
    importances: tuple[Importance, ...] = ()
    out_of_bag: float | None = None
    reference: Annotated[tuple[ColumnReference, ...], Meta(max_length=MAX_REFERENCES)] = ()
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
        if self.output.smooth and not self.classes:
            raise ValueError("only class shares can be smoothed")
        if self.classes and self.interval:
            raise ValueError("an interval is for a regression")
        if self.prediction in RESERVED:
            raise ValueError(
                f"an answer has a field {self.prediction} already; name the prediction otherwise"
            )
        self._check_columns()

    def _check_columns(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("two columns share a name")
        for column in self.columns:
            markers = self.texts.markers(column.name)
            for text in column.categories:
                if self.texts.clean(text) != text or text in markers:
                    raise ValueError(f"column {column.name}: no request can name {text!r}")
        columns = {column.name: column for column in self.columns}
        for each in self.reference:
            if each.column not in columns or not each.fits(columns[each.column]):
                raise ValueError(f"reference: does not fit a column {each.column}")
        if self.width > MAX_FEATURES:
            raise ValueError(f"{self.width} encoded features; at most {MAX_FEATURES} are served")

    @property
    def n_outputs(self) -> int:
        """Columns of a prediction: 1, or the number of classes."""
        return len(self.classes) or 1

    @property
    def width(self) -> int:
        """Encoded features."""
        return sum(column.width for column in self.columns)
