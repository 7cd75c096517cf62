"""What a data scientist writes in five minutes: one-hot columns and scikit-learn's boosting."""

import pickle
from pathlib import Path

import pandas as pd
from common import Job, main
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder


def fit(job: Job, frame: pd.DataFrame) -> Pipeline:
    """Fit a pipeline with the library's defaults, and keep it."""
    texts = make_column_selector(dtype_exclude="number")
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encoder, texts), remainder="passthrough")
    kinds = {
        "regression": HistGradientBoostingRegressor,
        "classification": HistGradientBoostingClassifier,
    }
    pipeline = make_pipeline(columns, kinds[job.task](random_state=0))
    pipeline.fit(frame.drop(columns=job.target), frame[job.target])
    Path(job.folder, "model.pkl").write_bytes(pickle.dumps(pipeline))
    return pipeline


if __name__ == "__main__":
    main(fit)
