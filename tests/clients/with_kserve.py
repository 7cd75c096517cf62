"""KServe's own clients, in `.peers/kserve`."""

import asyncio
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from ways import try_all


def v1(asked: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    return asyncio.run(
        client.infer(asked["iris"], {"instances": asked["flowers"]}, model_name="iris")
    )


def v1_ready(asked: dict[str, Any]) -> bool:
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    return asyncio.run(client.is_model_ready(asked["iris"], "iris"))


def v2_health(asked: dict[str, Any]) -> list[bool]:
    async def ask() -> list[bool]:
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        url = asked["iris"]
        return [
            await client.is_server_live(url),
            await client.is_server_ready(url),
            await client.is_model_ready(url, "iris"),
        ]

    return asyncio.run(ask())


def flowers(asked: dict[str, Any], datatype: str, *, binary: bool) -> InferInput:
    values = np.array(asked["flowers"], dtype={"FP32": np.float32, "FP64": np.float64}[datatype])
    tensor = InferInput("input-0", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def homes(asked: dict[str, Any], *, binary: bool) -> list[InferInput]:
    kinds = {
        "size": (np.float64, "FP64"),
        "age": (np.float32, "FP32"),
        "region": (np.object_, "BYTES"),
        "garden": (np.bool_, "BOOL"),
    }
    found = []
    for name, (kind, datatype) in kinds.items():
        values = np.array(asked["rows"][name], dtype=kind)
        tensor = InferInput(name, [len(values)], datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        found.append(tensor)
    return found


def infer(url: str, model: str, inputs: list[InferInput], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    answer = asyncio.run(client.infer(url, InferRequest(model, inputs, **more), model_name=model))
    return {output.name: output.as_numpy().ravel().tolist() for output in answer.outputs}


def answers_in_binary(names: list[str]) -> dict[str, Any]:
    return {"request_outputs": [RequestedOutput(name, {"binary_data": True}) for name in names]}


def over_grpc(address: str, model: str, inputs: list[InferInput]) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with InferenceGRPCClient(address) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready(model)
            answer = await client.infer(InferRequest(model, inputs))
            return {output.name: output.as_numpy().ravel().tolist() for output in answer.outputs}

    return asyncio.run(ask())


OUTPUTS = ["predicted_target", "probabilities"]

try_all(
    {
        "v1": v1,
        "v1 ready": v1_ready,
        "v2 health": v2_health,
        "iris FP64 JSON": lambda a: infer(a["iris"], "iris", [flowers(a, "FP64", binary=False)]),
        "iris FP32 JSON": lambda a: infer(a["iris"], "iris", [flowers(a, "FP32", binary=False)]),
        "iris FP64 binary": lambda a: infer(a["iris"], "iris", [flowers(a, "FP64", binary=True)]),
        "iris FP32 binary": lambda a: infer(a["iris"], "iris", [flowers(a, "FP32", binary=True)]),
        "iris binary both ways": lambda a: infer(
            a["iris"], "iris", [flowers(a, "FP64", binary=True)], **answers_in_binary(OUTPUTS)
        ),
        "iris binary back": lambda a: infer(
            a["iris"],
            "iris",
            [flowers(a, "FP64", binary=False)],
            parameters={"binary_data_output": True},
        ),
        "homes JSON": lambda a: infer(a["homes"], "homes", homes(a, binary=False)),
        "homes binary": lambda a: infer(a["homes"], "homes", homes(a, binary=True)),
        "homes binary both ways": lambda a: infer(
            a["homes"], "homes", homes(a, binary=True), **answers_in_binary(["predicted_price"])
        ),
        "iris gRPC": lambda a: over_grpc(a["grpc"], "iris", [flowers(a, "FP64", binary=True)]),
        "homes gRPC": lambda a: over_grpc(a["grpc"], "homes", homes(a, binary=True)),
        "homes gRPC contents": lambda a: over_grpc(a["grpc"], "homes", homes(a, binary=False)),
    }
)
