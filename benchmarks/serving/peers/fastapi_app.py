"""FastAPI, as tutorials write it: a pickle, a data frame, `predict` in a sync function."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, create_model

app = FastAPI()
model = joblib.load(os.environ["MODEL"])
Row: type[BaseModel] = create_model(
    "Row", **{f"x{i}": (float, ...) for i in range(model.n_features_in_)}
)


@app.post("/predict")
def predict(row: Row) -> dict[str, float]:  # type: ignore[valid-type]
    """Answer one row."""
    frame = pd.DataFrame([row.model_dump()])
    return {"prediction": float(model.predict(frame.to_numpy())[0])}
