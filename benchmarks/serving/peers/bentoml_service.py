"""BentoML: `bentoml serve bentoml_service:Forest`."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service
class Forest:
    """The forest behind an endpoint."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Answer rows."""
        found: np.ndarray = self.model.predict(rows)
        return found
