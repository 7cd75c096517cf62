"""`package`: a model that someone fitted themselves becomes a candidate like any other."""

from pathlib import Path

from registry.package import load_package
from tunegate.study.model import Model

Fitted = object  # an estimator or Pipeline of scikit-learn, LightGBM or XGBoost


def package(fitted: Fitted, data: str | Path, output: str | Path, *, folds: int = 5) -> Model:
    """Write the model package of a fitted scikit-learn estimator or Pipeline.

    It answers as the fitted model does, bit for bit for numbers, which is proven before it is
    written (docs/models.md). `tunegate gate --package FOLDER` and `tunegate promote --package
    FOLDER` take it as a candidate.

    Args:
        fitted: an estimator that a learner's table names, or a Pipeline of supported steps that
            ends in one; fitted on the data set's columns.
        data: a built-in data set's name, or the path of a spec (.toml).
        output: the package's folder.
        folds: of the cross-validation that gives the package its score.

    Raises:
        TrainerError: naming the step or setting that a package cannot hold.
        DataError: when the data set cannot be used.

    Example:
        >>> model = tg.package(pipeline, "houses.toml", "packages/mine")
        >>> model.predict(new_houses)
    """
    from trainer.own_model import package_fitted  # noqa: PLC0415 - imports scikit-learn

    package_fitted(fitted, str(data), Path(output), folds=folds)
    return Model(load_package(Path(output)))
