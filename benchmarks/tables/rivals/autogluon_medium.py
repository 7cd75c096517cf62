"""AutoGluon with `medium_quality`, its default; it takes the time that it needs."""

import pandas as pd
from autogluon.tabular import TabularPredictor
from common import Job, main


def fit(job: Job, frame: pd.DataFrame) -> TabularPredictor:
    """Fit all models of the preset; the folder keeps them."""
    metric = {"regression": "root_mean_squared_error", "classification": "log_loss"}[job.task]
    predictor = TabularPredictor(job.target, path=job.folder, eval_metric=metric, verbosity=0)
    return predictor.fit(frame, presets="medium_quality", num_cpus=2)


if __name__ == "__main__":
    main(fit)
