"""Triton's clients, in `.peers/triton`."""

from types import ModuleType
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from ways import try_all

KINDS = {
    "size": (np.float64, "FP64"),
    "age": (np.float32, "FP32"),
    "region": (np.object_, "BYTES"),
    "garden": (np.bool_, "BOOL"),
}


def tensor(kind: ModuleType, name: str, values: Any, datatype: str, **how: bool) -> Any:  # noqa: ANN401
    found = kind.InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, **how)
    return found


def flowers(kind: ModuleType, asked: dict[str, Any], dtype: Any, **how: bool) -> list[Any]:  # noqa: ANN401
    values = np.array(asked["flowers"], dtype=dtype)
    return [tensor(kind, "input-0", values, {4: "FP32", 8: "FP64"}[values.itemsize], **how)]


def homes(kind: ModuleType, asked: dict[str, Any], **how: bool) -> list[Any]:
    return [
        tensor(kind, name, np.array(asked["rows"][name], dtype=dtype), datatype, **how)
        for name, (dtype, datatype) in KINDS.items()
    ]


def listed(answer: Any, names: list[str]) -> dict[str, Any]:  # noqa: ANN401
    found = {}
    for name in names:
        values = answer.as_numpy(name)
        found[name] = None if values is None else values.ravel().tolist()
    return found


def http(
    url: str, model: str, inputs: list[Any], names: list[str], *, binary: bool
) -> dict[str, Any]:
    with over_http.InferenceServerClient(url.removeprefix("http://")) as client:
        outputs = [over_http.InferRequestedOutput(name, binary_data=binary) for name in names]
        return listed(client.infer(model, inputs, outputs=outputs, request_id="7"), names)


def unasked(asked: dict[str, Any]) -> dict[str, Any]:
    """Without requested outputs the client asks for all of them in binary."""
    with over_http.InferenceServerClient(asked["iris"].removeprefix("http://")) as client:
        answer = client.infer("iris", flowers(over_http, asked, np.float32, binary_data=True))
        return listed(answer, ["predicted_target", "probabilities"])


def compressed(asked: dict[str, Any]) -> str:
    with over_http.InferenceServerClient(asked["iris"].removeprefix("http://")) as client:
        inputs = flowers(over_http, asked, np.float64, binary_data=False)
        try:
            client.infer("iris", inputs, request_compression_algorithm="gzip")
        except over_http.InferenceServerException as error:
            return f"refused: {error}"
    return "answered"


def refused(asked: dict[str, Any]) -> str:
    with over_http.InferenceServerClient(asked["iris"].removeprefix("http://")) as client:
        values = np.zeros((1, 3))
        try:
            client.infer("iris", [tensor(over_http, "input-0", values, "FP64")])
        except over_http.InferenceServerException as error:
            return f"refused: {error}"
    return "answered"


def about(asked: dict[str, Any]) -> dict[str, Any]:
    with over_http.InferenceServerClient(asked["homes"].removeprefix("http://")) as client:
        return {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model ready": client.is_model_ready("homes"),
            "other ready": client.is_model_ready("wine"),
            "server": client.get_server_metadata(),
            "model": client.get_model_metadata("homes"),
        }


def grpc(address: str, model: str, inputs: list[Any], names: list[str]) -> dict[str, Any]:
    with over_grpc.InferenceServerClient(address) as client:
        outputs = [over_grpc.InferRequestedOutput(name) for name in names]
        return listed(client.infer(model, inputs, outputs=outputs), names)


def about_grpc(asked: dict[str, Any]) -> dict[str, Any]:
    with over_grpc.InferenceServerClient(asked["grpc"]) as client:
        return {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model ready": client.is_model_ready("homes"),
            "server": client.get_server_metadata(as_json=True),
            "model": client.get_model_metadata("homes", as_json=True),
        }


BOTH = ["predicted_target", "probabilities"]
PRICE = ["predicted_price"]


def http_iris(
    asked: dict[str, Any],
    dtype: Any,  # noqa: ANN401
    names: list[str],
    *,
    there: bool,
    back: bool,
) -> dict[str, Any]:
    return http(
        asked["iris"],
        "iris",
        flowers(over_http, asked, dtype, binary_data=there),
        names,
        binary=back,
    )


def http_homes(asked: dict[str, Any], *, there: bool, back: bool) -> dict[str, Any]:
    return http(
        asked["homes"], "homes", homes(over_http, asked, binary_data=there), PRICE, binary=back
    )


try_all(
    {
        "about": about,
        "about gRPC": about_grpc,
        "refused": refused,
        "compressed": compressed,
        "iris FP64 JSON": lambda a: http_iris(a, np.float64, BOTH, there=False, back=False),
        "iris FP32 JSON": lambda a: http_iris(a, np.float32, BOTH, there=False, back=False),
        "iris FP64 binary": lambda a: http_iris(a, np.float64, BOTH, there=True, back=True),
        "iris FP32 binary": lambda a: http_iris(a, np.float32, BOTH, there=True, back=True),
        "iris binary there": lambda a: http_iris(a, np.float64, BOTH, there=True, back=False),
        "iris binary back": lambda a: http_iris(a, np.float64, BOTH, there=False, back=True),
        "iris one output": lambda a: http_iris(a, np.float64, BOTH[1:], there=False, back=False),
        "iris unasked": unasked,
        "homes JSON": lambda a: http_homes(a, there=False, back=False),
        "homes binary": lambda a: http_homes(a, there=True, back=True),
        "iris gRPC": lambda a: grpc(a["grpc"], "iris", flowers(over_grpc, a, np.float64), BOTH),
        "iris gRPC FP32": lambda a: grpc(
            a["grpc"], "iris", flowers(over_grpc, a, np.float32), BOTH
        ),
        "homes gRPC": lambda a: grpc(a["grpc"], "homes", homes(over_grpc, a), PRICE),
    }
)
