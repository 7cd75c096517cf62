"""Ray Serve: one replica, plain scikit-learn."""

import os
import sys

import joblib
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment
class Forest:
    """The forest behind a deployment."""

    def __init__(self, path: str) -> None:
        self.model = joblib.load(path)

    async def __call__(self, request: Request) -> dict[str, float]:
        """Answer one row."""
        row = await request.json()
        return {"prediction": float(self.model.predict([list(row.values())])[0])}


if __name__ == "__main__":
    ray.init(include_dashboard=False, _temp_dir=sys.argv[2], object_store_memory=128 << 20)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Forest.bind(os.environ["MODEL"]), route_prefix="/predict", blocking=True)
