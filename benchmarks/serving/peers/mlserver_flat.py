"""Our package in MLServer, as a custom runtime."""

from pathlib import Path

from flat import FlatPredictor
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class FlatModel(MLModel):
    """Predicts with the flat forest."""

    async def load(self) -> bool:
        """Load what the settings name."""
        self._model = FlatPredictor(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer V2."""
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("predict", self._model.predict(rows))
        return InferenceResponse(model_name=self.name, outputs=[output])
