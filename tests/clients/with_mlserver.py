"""MLServer's codecs, and its client for batches, in `.peers/mlserver`."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse
from ways import try_all


def ask(url: str, model: str, request: InferenceRequest) -> InferenceResponse:
    body = request.model_dump_json(exclude_none=True).encode()
    asked = urllib.request.Request(
        f"{url}/v2/models/{model}/infer", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=300) as answer:
        return InferenceResponse.model_validate_json(answer.read())


def decoded(response: InferenceResponse) -> dict[str, Any]:
    return {
        output.name: NumpyCodec.decode_output(output).ravel().tolist()
        for output in response.outputs
    }


def by_numpy(asked: dict[str, Any], dtype: Any) -> dict[str, Any]:  # noqa: ANN401
    values = np.array(asked["flowers"], dtype=dtype)
    return decoded(ask(asked["iris"], "iris", NumpyRequestCodec.encode_request(values)))


def frame(asked: dict[str, Any]) -> pd.DataFrame:
    """Make a table; MLServer 1.7 does not know pandas 3's type of texts."""
    return pd.DataFrame(asked["rows"]).astype({"region": object})


def by_pandas(asked: dict[str, Any], *, use_bytes: bool) -> dict[str, Any]:
    return decoded(
        ask(asked["homes"], "homes", PandasCodec.encode_request(frame(asked), use_bytes=use_bytes))
    )


def gaps(asked: dict[str, Any]) -> dict[str, Any]:
    table = frame(asked)
    table.loc[1, "age"] = np.nan
    return decoded(ask(asked["homes"], "homes", PandasCodec.encode_request(table)))


def to_pandas(asked: dict[str, Any]) -> list[float]:
    request = PandasCodec.encode_request(frame(asked), use_bytes=False)
    table = PandasCodec.decode_response(ask(asked["homes"], "homes", request))
    return [float(value) for value in table["predicted_price"]]


def in_batches(asked: dict[str, Any], *, binary: bool) -> list[Any]:
    """Run `mlserver infer` on a file of requests, one a line."""
    folder = Path(tempfile.mkdtemp())
    requests = [NumpyRequestCodec.encode_request(np.array([row])) for row in asked["flowers"]]
    lines = [request.model_dump_json(exclude_none=True) for request in requests]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    address = asked["iris"].removeprefix("http://")
    command = [
        str(Path(sys.executable).parent / "mlserver"),
        "infer",
        "-u",
        address,
        "-m",
        "iris",
        "-w",
        "1",
    ]
    command += [
        "-i",
        str(folder / "in.jsonl"),
        "-o",
        str(folder / "out.jsonl"),
        *(["-b"] if binary else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    answers.sort(key=lambda answer: answer["parameters"]["batch_index"])
    return [
        output["data"]
        for answer in answers
        for output in answer["outputs"]
        if output["name"] == "predicted_target"
    ]


try_all(
    {
        "numpy FP64": lambda a: by_numpy(a, np.float64),
        "numpy FP32": lambda a: by_numpy(a, np.float32),
        "pandas": lambda a: by_pandas(a, use_bytes=False),
        "pandas to bytes": lambda a: by_pandas(a, use_bytes=True),
        "to pandas": to_pandas,
        "pandas with a gap": gaps,
        "batches": lambda a: in_batches(a, binary=False),
        "batches in binary": lambda a: in_batches(a, binary=True),
    }
)
