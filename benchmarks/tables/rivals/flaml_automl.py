"""FLAML with the time that it is given."""

import pickle
from pathlib import Path

import pandas as pd
from common import Job, main
from flaml import AutoML


def fit(job: Job, frame: pd.DataFrame) -> AutoML:
    """Search, and keep the best model."""
    automl = AutoML()
    automl.fit(
        dataframe=frame,
        label=job.target,
        task=job.task,
        metric={"regression": "rmse", "classification": "log_loss"}[job.task],
        time_budget=job.seconds,
        n_jobs=2,
        seed=1,
        verbose=0,
    )
    Path(job.folder, "model.pkl").write_bytes(pickle.dumps(automl))
    return automl


if __name__ == "__main__":
    main(fit)
