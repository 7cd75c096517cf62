"""A model package as a person uses it: predictions for DataFrames, importances, its card."""

from pathlib import Path

import pandas as pd

from registry.errors import PackageError
from registry.package import Manifest, ModelPackage, load_package
from registry.package.package_files import MANIFEST
from tunegate.errors import UsageError
from tunegate.prediction.evaluation import TableEvaluation, evaluate_frame
from tunegate.prediction.frames import PredictionColumns, predict_frame
from tunegate.settings import load_settings
from tunegate.study.frames import to_pandas
from tunegate.study.html import model_html
from tunegate.workspace import Workspace

Rows = object  # a DataFrame of pandas, polars or pyarrow; a list of dicts; one dict or Series


class Model:
    """A verified model package.

    Columns are found by their names; others are not read. A cell that the server would refuse is
    refused here too, and all of them are named at once.

    Example:
        >>> model = tg.load("boston")
        >>> model.predict(new_houses)

    Attributes:
        package: the package itself.
    """

    def __init__(self, package: ModelPackage) -> None:
        self.package = package

    @property
    def manifest(self) -> Manifest:
        """Everything about the model except its arrays."""
        return self.package.manifest

    @property
    def version(self) -> str:
        """The package's digest, which the server sends as `X-Model-Version`."""
        return self.package.digest

    @property
    def card(self) -> str:
        """The package's description for people, in Markdown."""
        return self.package.card

    def predict(self, rows: Rows) -> "pd.Series":
        """Predict rows.

        Args:
            rows: a DataFrame of pandas, polars or pyarrow, a list of dicts, or one dict.

        Returns:
            One prediction a row, with the rows' index: float64 in the target's unit, or the
            likeliest class.

        Raises:
            DataError: when a column is missing, or cells do not fit; all of them are named.
        """
        predicted: pd.Series = self._predict(rows)[self.manifest.prediction]
        return predicted

    def predict_proba(self, rows: Rows) -> pd.DataFrame:
        """Return each class's probability.

        Args:
            rows: as for `predict`.

        Returns:
            float64, one row a row and one column a class, named by the class.

        Raises:
            UsageError: when the model predicts a number.
            DataError: as `predict` does.
        """
        found = self._predict(rows, probabilities=True)
        probabilities = found.drop(columns=self.manifest.prediction)
        return probabilities.set_axis(list(self.manifest.classes), axis="columns")

    def predict_interval(self, rows: Rows) -> pd.DataFrame:
        """Return each prediction with its interval, which contains 90 % of observations.

        Returns:
            float64, columns `low`, `predicted` and `high`.

        Raises:
            UsageError: when the model states no interval, as no classification does.
            DataError: as `predict` does.
        """
        name = self.manifest.prediction
        found = self._predict(rows, interval=True)
        named = {f"{name}_low": "low", name: "predicted", f"{name}_high": "high"}
        return found[list(named)].rename(columns=named)

    def _predict(
        self, rows: Rows, *, probabilities: bool = False, interval: bool = False
    ) -> pd.DataFrame:
        columns = PredictionColumns(probabilities=probabilities, interval=interval)
        return predict_frame(self.package, to_pandas(rows, self._columns), columns)

    def evaluate(self, rows: Rows) -> TableEvaluation:
        """Score the model on rows that have the target.

        Args:
            rows: as for `predict`, with the target's column.

        Returns:
            The task's metrics over all rows and over those that the model was not trained on.

        Raises:
            DataError: when a column is missing, or cells do not fit; all of them are named.
        """
        return evaluate_frame(self.package, to_pandas(rows, self._columns))

    def explain(self) -> pd.DataFrame:
        """Return how much each column matters, the most important first.

        Returns:
            Columns `column`; `mean`, `low` and `high`: how much worse the metric gets when the
            column's values are shuffled among rows left out, with the 5 % and 95 % quantiles.

        Raises:
            UsageError: when the package states no importances.
        """
        importances = self.manifest.importances
        if not importances:
            raise UsageError(
                f"package {self.version[:12]} of {self.manifest.name} states no importances",
                hint="packages of release 0.3 on do: train the model again",
            )
        return pd.DataFrame([each.to_dict() for each in importances])

    @property
    def _columns(self) -> set[str]:
        return {column.name for column in self.manifest.columns}

    def __repr__(self) -> str:
        return f"<Model {self.manifest.name}, package {self.version[:12]}>"

    def _repr_html_(self) -> str:
        return model_html(self.manifest, self.version)


def load(
    name: str | Path = "", *, state: str | Path | None = None, store: str | Path | None = None
) -> Model:
    """Load the model in production by its name, or the package in a folder.

    Args:
        name: the model's name, or a package's folder; if empty, the model of the newest run.
        state: the folder of store and ledger; `.tunegate` by default.
        store: the model store, if it is not in the state folder.

    Raises:
        UsageError: when nothing of this name is in production.
        PackageError: when the package is damaged.

    Example:
        >>> tg.load("boston").predict(frame)
    """
    if str(name) and (Path(name) / MANIFEST).is_file():
        return Model(load_package(Path(name)))
    given = {"state": state, "store": store, "model": str(name) or None}
    workspace = Workspace(load_settings(**given))
    package = workspace.champion_package()
    if package is None:
        raise UsageError(
            f"nothing of {workspace.model} is in production", hint=_hint_of_models(workspace)
        )
    if isinstance(package, PackageError):
        raise package
    return Model(package)


def _hint_of_models(workspace: Workspace) -> str:
    if names := workspace.store.models():
        return f"in production: {', '.join(names)}"
    return f"`study.promote()` brings a model there; the state folder is {workspace.settings.state}"
