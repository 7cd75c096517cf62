"""Write a pickled estimator as an MLflow model: mlflow_save.py FOLDER."""

import sys
from pathlib import Path

import joblib
import mlflow

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    model = joblib.load(folder / "model.joblib")
    mlflow.sklearn.save_model(
        model, folder / "mlflow", serialization_format="cloudpickle", pip_requirements=[]
    )
