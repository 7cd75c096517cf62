"""A program of its own whose model tunegate judges but does not serve: a neural network.

    tunegate gate --data diabetes --folds folds.json
    python examples/outside/mlp.py folds.json evidence.json
    tunegate promote --data diabetes --evidence evidence.json

It knows nothing of tunegate but the two files. Any language can do the same.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

PARAMETERS = {"hidden": 5, "alpha": 300.0, "max_iter": 40}


def fit(x: np.ndarray, y: np.ndarray) -> Pipeline:
    """Fit the network on rows of numbers."""
    network = MLPRegressor(
        hidden_layer_sizes=(PARAMETERS["hidden"],),
        solver="lbfgs",
        alpha=PARAMETERS["alpha"],
        max_iter=PARAMETERS["max_iter"],
        random_state=0,
    )
    return make_pipeline(SimpleImputer(), StandardScaler(), network).fit(x, y)


def main(folds_file: str, evidence_file: str) -> None:
    """Predict each training row by networks that have not seen it, and the holdout by the last."""
    given = json.loads(Path(folds_file).read_text())
    target = given["target"]
    columns = [name for name in given["rows"][0] if not name.startswith("_") and name != target]
    training = [row for row in given["rows"] if row["_part"] == "training"]
    holdout = [row for row in given["rows"] if row["_part"] == "holdout"]
    x = np.array([[row[name] for name in columns] for row in training], dtype=float)
    y = np.array([row[target] for row in training])
    predictions = []
    for k in range(given["repetitions"]):
        folds = np.array([row[f"_fold_{k}"] for row in training])
        for fold in range(given["folds"]):
            tested = folds == fold
            answers = fit(x[~tested], y[~tested]).predict(x[tested])
            for place, answer in zip(np.flatnonzero(tested), answers, strict=True):
                row = training[place]["_row"]
                record = {"_row": row, "_repetition": k, "_fold": fold, "prediction": answer}
                predictions.append(record)
    final = fit(x, y)
    for row in holdout:
        answer = final.predict([[row[name] for name in columns]])[0]
        record = {"_row": row["_row"], "_repetition": None, "_fold": None, "prediction": answer}
        predictions.append(record)
    evidence = {
        "format": "tunegate-evidence/1",
        "model": "sklearn_mlp",
        "version": "2026-12-01",  # whatever names this very model: an image's digest, a commit
        "served_at": "http://mlp.example:9000",
        "parameters": PARAMETERS,
        "predictions": predictions,
    }
    Path(evidence_file).write_text(json.dumps(evidence))


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)  # ending early is meant: it regularises
    main(*sys.argv[1:])
