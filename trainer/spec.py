"""The data set spec, one small TOML file: what to learn from, what to predict, how to split."""

import tomllib
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
from registry.package.columns import Kind
from trainer.errors import DataError

DEFAULT_METRIC = {"regression": "mse", "classification": "log_loss"}


class _SpecTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitSpec(_SpecTable):
    """How rows come to the training part or the holdout.

    Attributes:
        method: "hash" decides by a hash of the row's content, so a row keeps its side when data are
            appended; "seeded" is the classic random split of scikit-learn's `train_test_split`, for
            published numbers.
        holdout: share of rows in the holdout.
        seed: another seed, another split.
        by: columns whose content is hashed; rows that agree in them stay together. Empty: all
            columns.
    """

    method: Literal["hash", "seeded"] = "hash"
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    by: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_by(self) -> Self:
        if self.by and self.method == "seeded":
            raise ValueError(
                '`by` needs method = "hash": the seeded split does not keep rows together'
            )
        return self


class ColumnSpec(_SpecTable):
    """A column's kind, if the table alone does not tell it: categories written as numbers."""

    type: Kind


class DataSetSpec(_SpecTable):
    """Contents of a data set's TOML file.

    Attributes:
        name: also the model's name; lower-case letters, digits, `-` and `_`.
        source: a CSV file, relative to the TOML file, or `sklearn:<name>` for a data set that
            scikit-learn ships.
        target: the column to predict.
        task: "regression" or "classification".
        features: columns to learn from; all but the target and `drop` where left out.
        drop: columns not to learn from; requests may carry them, they are not read.
        metric: what is minimised (or, for accuracy, maximised); mse for regression, log_loss for
            classification.
        prediction: the field's name in the server's answer.
        notes: Markdown for the model's card.
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
    split: SplitSpec = SplitSpec()
    columns: dict[str, ColumnSpec] = {}
    folder: Annotated[Path, Field(exclude=True)] = Path()

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        allowed = METRICS[self.task]
        metric = self.metric or DEFAULT_METRIC[self.task]
        if metric not in allowed:
            raise ValueError(f"metric {metric!r} is not one of {', '.join(allowed)} ({self.task})")
        if len(set(self.features)) < len(self.features):
            raise ValueError("features: a column is named twice")
        object.__setattr__(self, "metric", metric)
        object.__setattr__(self, "prediction", self.prediction or f"predicted_{self.target}")
        return self

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
        lines = (f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}" for e in error.errors())
        raise DataError(f"{path}: {'; '.join(lines)}", hint=fields) from error
