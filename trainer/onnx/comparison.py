"""Compares the copy's answers with the package's own."""

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import FlatForest, Output, Predictor, predict_encoded
from trainer.errors import TrainerError

ROWS = 250  # of each kind to compare on
MISSING_SHARE = 0.3  # of the cells in rows with gaps
TOLERANCE = 1e-9  # relative; additions in another order stay far below, anything else far above
FLOAT32_TOLERANCE = 1e-5  # where the forest adds in float32, and the copy in float64


def largest_error(content: bytes, predictor: Predictor, output: Output) -> float:
    """Return the largest difference between the predictions of the copy and of the package.

    They are compared on random rows, on the thresholds of trees, and with missing values.

    Raises:
        TrainerError: when they differ by more than another order of additions explains.
    """
    rows = _comparison_rows(predictor)
    wanted = predict_encoded(predictor, output, rows)
    answers = _run_onnx(content, rows)
    tolerance = TOLERANCE
    if isinstance(predictor, FlatForest) and predictor.value.dtype == np.float32:
        tolerance = FLOAT32_TOLERANCE
    least = tolerance + predictor.rounding(rows).max(axis=1, keepdims=True)
    if answers.shape != wanted.shape or not np.allclose(
        answers, wanted, rtol=tolerance, atol=least
    ):
        raise TrainerError(
            "model.onnx does not answer as the model does", hint="leave out --onnx, and report it"
        )
    return float(np.abs(answers - wanted).max())


def _run_onnx(content: bytes, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    runtime: Any = import_module("onnxruntime")  # it has no types
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # several would add in any order, and the card would change
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    answers: NDArray[np.float64] = session.run(None, {"features": rows})[0]
    return answers


def _comparison_rows(predictor: Predictor) -> NDArray[np.float32]:
    """Return rows on thresholds, between them, and with gaps: float32 (4 ROWS + 1, n_features).

    Of a linear model they are rows around its columns' means.
    """
    rng = np.random.default_rng(0)
    if isinstance(predictor, FlatForest):
        on = _threshold_rows(predictor, rng)
    else:
        on = _scaled_rows(predictor, rng)
    between = (on + rng.permutation(on)) / np.float32(2)
    whole = np.vstack([on, between])
    missing = rng.random(whole.shape) < MISSING_SHARE
    gaps = np.where(missing, np.float32(np.nan), whole)
    return np.vstack([whole, gaps, np.full((1, whole.shape[1]), np.nan)]).astype(np.float32)


def _scaled_rows(predictor: Predictor, rng: np.random.Generator) -> NDArray[np.float32]:
    arrays = predictor.arrays()
    spread = rng.normal(size=(ROWS, predictor.n_features))
    return (arrays["center"] + arrays["scale"] * spread).astype(np.float32)


def _threshold_rows(forest: FlatForest, rng: np.random.Generator) -> NDArray[np.float32]:
    on = np.empty((ROWS, forest.n_features), dtype=np.float32)
    inner = forest.left != np.arange(forest.n_nodes)
    for feature in range(forest.n_features):
        own = forest.threshold[inner & (forest.feature == feature) & np.isfinite(forest.threshold)]
        on[:, feature] = rng.choice(own, ROWS) if own.size else 0
    return on
