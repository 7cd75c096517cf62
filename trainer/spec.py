"""The data set spec, one small TOML file: what to learn from, what to predict, how to split."""

import tomllib
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from registry.package import METRICS
from registry.package.columns import Kind, OnUnknown
from trainer.errors import DataError
from trainer.spec_errors import describe_spec_errors

DEFAULT_METRIC = {"regression": "mse", "classification": "log_loss"}


class _SpecTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadSpec(_SpecTable):
    """How the source is read; what is left out is found out, and said.

    Attributes:
        format: csv, parquet, feather, excel, jsonlines or sql; told by the source's name.
        separator: between the cells of a CSV line.
        decimal: the decimal mark of a CSV file's numbers.
        thousands: the mark between their thousands.
        quote: the character around a CSV cell that holds a separator.
        encoding: of a text file, as Python names it.
        compression: gzip, bz2, xz, zstd or zip; told by the source's name.
        comment: what begins a line that is not read.
        header: whether a CSV file's first line holds the columns' names; without it the columns
            are called column_1, column_2, ...
        sheet: of an Excel workbook; the first one by default.
        query: the SQL to run where `source` is a database's address.
        footer: how many rows at the end are no rows of the table, such as a line of totals.
        bad_lines: whether lines with more or fewer cells than the header are refused or left out.
        strip: whether spaces around texts and names are taken off.
    """

    format: Literal["csv", "parquet", "feather", "excel", "jsonlines", "sql", ""] = ""
    separator: str = ""
    decimal: str = ""
    thousands: str = ""
    quote: str = ""
    encoding: str = ""
    compression: str = ""
    comment: str = ""
    header: bool | None = None
    sheet: str = ""
    query: str = ""
    footer: Annotated[int, Field(ge=0)] = 0
    bad_lines: Literal["refuse", "drop"] = "refuse"
    strip: bool = True


class SplitSpec(_SpecTable):
    """How rows come to the training part or the holdout.

    Attributes:
        method: "hash" decides by a hash of the row's content, so a row keeps its side when data are
            appended; "stratified" also gives each class, or each quantile of the target, its share;
            "time" puts the latest rows into the holdout, and no fold is predicted by a model that
            saw later rows; "seeded" is the classic random split of
            scikit-learn's `train_test_split`, for published numbers.
        holdout: share of rows in the holdout.
        seed: another seed, another split.
        by: columns whose content is hashed; rows that agree in them stay together, in the folds
            too. Empty: all columns.
        time: the column that tells when a row was known; states `method = "time"`.
    """

    method: Literal["hash", "stratified", "time", "seeded"] = "hash"
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    by: tuple[str, ...] = ()
    time: str = ""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.time:
            if "method" in self.model_fields_set and self.method != "time":
                raise ValueError(f'`time` states method = "time", not {self.method!r}: keep one')
            object.__setattr__(self, "method", "time")
        if self.method == "time":
            self._check_time()
        if self.by and self.method == "seeded":
            raise ValueError(
                '`by` needs method = "hash" or "stratified": '
                "the seeded split does not keep rows together"
            )
        return self

    def _check_time(self) -> None:
        if not self.time and len(self.by) == 1:
            raise ValueError(f'write time = "{self.by[0]}" in place of method and by')
        if not self.time:
            raise ValueError('name the column that tells when a row was known: time = "..."')
        if self.by:
            raise ValueError("`by` and `time` exclude each other: a group has rows of many times")


class ColumnSpec(_SpecTable):
    """What is stated of a column; a column that is named here is kept, whatever the profile says.

    Attributes:
        type: its kind, if the table alone does not tell it: categories written as numbers.
        missing: texts that mean a missing value in this column, besides the spec's `missing`.
        on_unknown: overrides the spec's `on_unknown`.
        date_format: how its dates are written, as strftime writes it: %d/%m/%Y.
    """

    type: Kind | None = None
    missing: tuple[str, ...] = ()
    on_unknown: OnUnknown | None = None
    date_format: str = ""


class DataSetSpec(_SpecTable):
    """Contents of a data set's TOML file.

    Attributes:
        name: also the model's name; lower-case letters, digits, `-` and `_`.
        source: a file or a pattern of files, relative to the TOML file; a URL; a database's
            address; or `sklearn:<name>` for a data set that scikit-learn ships.
        target: the column to predict.
        task: "regression" or "classification".
        features: columns to learn from; all but the target and `drop` where left out.
        drop: columns not to learn from; requests may carry them, they are not read.
        metric: what is minimised (or maximised, where higher is better); by default mse for
            regression, log_loss for classification; see `registry.package.metrics`.
        prediction: the field's name in the server's answer.
        notes: Markdown for the model's card.
        missing: texts that mean a missing value, besides the empty cell, NA, null and the others
            that pandas knows; in training and in requests.
        on_unknown: what the server does with a category that training has not seen, or a null
            where training had no gap: refuse it, or treat it as missing.
        target_gaps: whether rows without a target are refused or left out.
        class_weight: "balanced" gives each class the same total weight in fits.
        weight: a column with the rows' weights, in fits and in scores; it is not learned from.
        target_transform: "log1p" learns log(1 + target) and predicts in the target's own unit.
        read: see `ReadSpec`.
        split: see `SplitSpec`.
        columns: see `ColumnSpec`.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    source: str
    target: str
    task: Literal["regression", "classification"]
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    metric: str = ""
    prediction: str = ""
    notes: str = ""
    missing: tuple[str, ...] = ()
    on_unknown: OnUnknown = "refuse"
    target_gaps: Literal["refuse", "drop"] = "refuse"
    class_weight: Literal["none", "balanced"] = "none"
    weight: str = ""
    target_transform: Literal["none", "log1p"] = "none"
    read: ReadSpec = ReadSpec()
    split: SplitSpec = SplitSpec()
    columns: dict[str, ColumnSpec] = {}
    folder: Annotated[Path, Field(exclude=True)] = Path()

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        metric = self.metric or DEFAULT_METRIC[self.task]
        _check_metric(metric, self.task)
        self._check_weights()
        if len(set(self.features)) < len(self.features):
            raise ValueError("features: a column is named twice")
        object.__setattr__(self, "metric", metric)
        object.__setattr__(self, "prediction", self.prediction or f"predicted_{self.target}")
        return self

    def _check_weights(self) -> None:
        if self.class_weight != "none" and self.task == "regression":
            raise ValueError('class_weight is for task = "classification"')
        if self.target_transform != "none" and self.task == "classification":
            raise ValueError('target_transform is for task = "regression"')
        if self.weight and self.weight in {self.target, *self.features}:
            raise ValueError(f"weight: {self.weight} cannot be the target or a feature, too")

    def including(self, columns: tuple[str, ...]) -> "DataSetSpec":
        """Return the spec with these dropped columns learned from after all.

        Raises:
            DataError: when one of them is not dropped by this spec.
        """
        if unknown := sorted(set(columns) - set(self.drop)):
            hint = f"dropped columns: {', '.join(self.drop) or 'none'}"
            raise DataError(
                f"{self.name}: cannot include {', '.join(unknown)}: not a dropped column", hint=hint
            )
        drop = tuple(name for name in self.drop if name not in columns)
        if self.features:
            features = tuple(dict.fromkeys((*self.features, *columns)))
        else:
            features = ()
        return self.model_copy(update={"drop": drop, "features": features})


def _check_metric(metric: str, task: str) -> None:
    allowed = METRICS[task]
    if metric in allowed:
        return
    guesses = get_close_matches(metric.lower().replace("roc_", ""), allowed, n=1, cutoff=0.5)
    meant = f"; did you mean {guesses[0]}?" if guesses else ""
    raise ValueError(f"metric {metric!r} is not one of {', '.join(allowed)} ({task}){meant}")


def builtin_names() -> list[str]:
    """Return the names of the data sets that come with tunegate, sorted."""
    folder = resources.files("trainer") / "datasets"
    return sorted(
        item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")
    )


def load_spec(name: str) -> DataSetSpec:
    """Read a spec by the name of a built-in data set, or by the path of a TOML file.

    Raises:
        DataError: when there is none, or it is not valid; the message names the file and the field.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if name not in builtin_names():
            hint = f"built in: {', '.join(builtin_names())}; or give the path of a .toml file"
            raise DataError(f"data set {name!r} is not known", hint=hint)
        path = Path(str(resources.files("trainer") / "datasets" / f"{name}.toml"))
    return _parse_spec(path)


def _parse_spec(path: Path) -> DataSetSpec:
    fields = "fields: " + ", ".join(name for name in DataSetSpec.model_fields if name != "folder")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        if "folder" in document:
            raise DataError(
                f"{path}: folder: not a field of a spec, it is the file's own", hint=fields
            )
        return DataSetSpec.model_validate({**document, "folder": path.parent})
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", hint="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise DataError(
            f"{path}: {describe_spec_errors(error, DataSetSpec)}", hint=fields
        ) from error
