"""KServe's ModelServer with what its sklearnserver does, which is not on PyPI.

With FLAT=1 our package behind it.
"""

import os
from pathlib import Path
from typing import Any

import joblib
from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Forest(Model):
    """Predicts as `kserve.sklearnserver.SKLearnModel` does."""

    def load(self) -> bool:
        """Load what MODEL names."""
        path = os.environ["MODEL"]
        if os.environ.get("FLAT"):
            from flat import FlatPredictor  # noqa: PLC0415 - needs our code on the path

            self._model: Any = FlatPredictor(Path(path))
        else:
            self._model = joblib.load(path)
        self.ready = True
        return self.ready

    def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        *_: Any,  # noqa: ANN401 - as the server calls it
        **__: Any,  # noqa: ANN401
    ) -> dict[str, Any] | InferResponse:
        """Answer V1 and V2."""
        return get_predict_response(
            payload, self._model.predict(get_predict_input(payload)), self.name
        )


if __name__ == "__main__":
    model = Forest("forest")
    model.load()
    ModelServer().start([model])
