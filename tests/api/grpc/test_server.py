"""V2 over gRPC: bytes packed here by hand, from the protocol's field numbers, are answered as the package predicts."""

import asyncio
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.patience import patience
from support.serving.servers import PATIENCE
from support.serving.wire import fields, put, request, tensor, varint

grpc = pytest.importorskip("grpc", reason="the extra `grpc` is not installed")

from support.serving.grpc_servers import listening, slot_of  # noqa: E402 - only where there is gRPC

from api.grpc.server import start_grpc  # noqa: E402
from api.limits import Limits  # noqa: E402
from api.serving.served import Served, Slot  # noqa: E402
from registry.package import ModelPackage  # noqa: E402

SERVICE = "/inference.GRPCInferenceService/"
ROW = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}
Code = grpc.StatusCode


def homes_inputs() -> list[bytes]:
    return [
        tensor("size", "FP64", [1], put(7, struct.pack("<d", 80.5))),
        tensor("age", "FP32", [1], put(6, struct.pack("<f", 12.0))),
        tensor("region", "BYTES", [1], put(8, "north")),
        tensor("garden", "BOOL", [1], put(1, varint(1))),
    ]


def homes_raw() -> tuple[list[bytes], list[bytes]]:
    types = {"size": "FP16", "age": "INT8", "region": "BYTES", "garden": "BOOL"}
    raw = [struct.pack("<e", 80.5), b"\x0c", struct.pack("<I", 5) + b"north", b"\x01"]
    return [tensor(name, datatype, [1, 1]) for name, datatype in types.items()], raw


@pytest.fixture(scope="module")
def channel(homes: ModelPackage, flowers: ModelPackage) -> Iterator[Any]:
    with listening(
        {"homes": slot_of(homes), "flowers": slot_of(flowers), "empty": Slot()}
    ) as started:
        yield started.channel


def call(channel: Any, method: str, content: bytes = b"", **headers: str) -> dict[int, list[Any]]:  # noqa: ANN401
    path = method if method.startswith("/") else SERVICE + method
    metadata = [(name.replace("_", "-"), value) for name, value in headers.items()]
    answer: bytes = channel.unary_unary(path)(content, timeout=PATIENCE, metadata=metadata)
    return fields(answer)


def refused(channel: Any, method: str, content: bytes = b"", **headers: str) -> tuple[Any, str]:  # noqa: ANN401
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, content, **headers)
    return caught.value.code(), caught.value.details()


def doubles(content: bytes) -> list[float]:
    return [value for (value,) in struct.iter_unpack("<d", content)]


def test_the_server_and_its_models_are_described(channel: Any, homes: ModelPackage) -> None:  # noqa: ANN401
    assert call(channel, "ServerLive") == {1: [1]}
    assert call(channel, "ServerMetadata")[1] == [b"tunegate"]
    assert call(channel, "ModelReady", put(1, "homes") + put(2, "7")) == {1: [1]}
    found = call(channel, "ModelMetadata", put(1, "homes") + put(2, homes.digest))
    assert (found[1], found[2]) == ([b"homes"], [homes.digest.encode()])
    inputs = [fields(each) for each in found[4]]
    assert [each[1][0].decode() for each in inputs] == [
        column.name for column in homes.manifest.columns
    ]
    minus_one = varint((1 << 64) - 1)
    assert fields(found[5][0]) == {1: [b"predicted_price"], 2: [b"FP64"], 3: [minus_one]}


def test_readiness_waits_for_all_models(channel: Any, homes: ModelPackage) -> None:  # noqa: ANN401
    health = "/grpc.health.v1.Health/Check"
    assert call(channel, "ServerReady") == {}  # proto3 sends no false
    assert call(channel, health) == {1: [2]}
    assert refused(channel, health, put(1, "other"))[0] == Code.NOT_FOUND
    with listening({"homes": slot_of(homes)}) as started:
        assert call(started.channel, "ServerReady") == call(started.channel, health) == {1: [1]}


def test_typed_contents_are_answered_as_typed_contents(channel: Any, homes: ModelPackage) -> None:  # noqa: ANN401
    found = call(channel, "ModelInfer", request("homes", homes_inputs(), id="42"))
    assert (found[1], found[2], found[3]) == ([b"homes"], [homes.digest.encode()], [b"42"])
    (output,) = [fields(each) for each in found[5]]
    assert (output[1], output[2], output[3]) == ([b"predicted_price"], [b"FP64"], [b"\x01"])
    expected = homes.predict({name: [value] for name, value in ROW.items()})[:, 0].tolist()
    assert doubles(fields(output[5][0])[7][0]) == expected


def test_raw_contents_are_answered_as_raw_contents(channel: Any, homes: ModelPackage) -> None:  # noqa: ANN401
    found = call(channel, "ModelInfer", request("homes", *homes_raw()))
    assert 5 not in fields(found[5][0])
    expected = homes.predict({name: [value] for name, value in ROW.items()})[:, 0].tolist()
    assert doubles(found[6][0]) == expected


def test_a_class_and_probabilities(channel: Any, flowers: ModelPackage) -> None:  # noqa: ANN401
    x = struct.pack("<4f", 0.5, 1.5, 2.0, -0.25)
    found = call(
        channel, "ModelInfer", request("flowers", [tensor("input-0", "FP32", [2, 2])], [x])
    )
    first, second = (column.name for column in flowers.manifest.columns)
    shares = flowers.predict({first: [0.5, 2.0], second: [1.5, -0.25]})
    names = [str(flowers.manifest.classes[i]).encode() for i in shares.argmax(axis=1)]
    assert found[6][0] == b"".join(struct.pack("<I", len(name)) + name for name in names)
    assert doubles(found[6][1]) == shares.ravel().tolist()
    assert fields(found[5][1])[3] == [bytes(shares.shape)]


def test_an_output_is_given_by_name(channel: Any) -> None:  # noqa: ANN401
    contents = put(6, struct.pack("<2f", 0.5, 1.5))
    asked = request("flowers", [tensor("x", "FP32", [1, 2], contents)], output="probabilities")
    assert [fields(each)[1] for each in call(channel, "ModelInfer", asked)[5]] == [
        [b"probabilities"]
    ]


def test_many_rows_are_answered_too(channel: Any, flowers: ModelPackage) -> None:  # noqa: ANN401
    n = 20_000
    x = struct.pack(f"<{2 * n}d", *(i / n for i in range(2 * n)))
    found = call(
        channel,
        "ModelInfer",
        request("flowers", [tensor("x", "FP64", [n, 2])], [x], output="probabilities"),
    )
    a = [i / n for i in range(0, 2 * n, 2)]
    b = [i / n for i in range(1, 2 * n, 2)]
    table = dict(zip([column.name for column in flowers.manifest.columns], (a, b), strict=True))
    assert doubles(found[6][0]) == flowers.predict(table).ravel().tolist()


def test_the_metadata_names_the_model_and_what_it_has_not_seen(
    channel: Any,  # noqa: ANN401
    homes: ModelPackage,
) -> None:
    inputs = [tensor("size", "FP64", [1], put(7, struct.pack("<d", 1e6))), *homes_inputs()[1:]]
    _, answer = channel.unary_unary(SERVICE + "ModelInfer").with_call(
        request("homes", inputs), timeout=PATIENCE
    )
    metadata = dict(answer.initial_metadata())
    assert metadata["x-model-version"] == homes.digest
    assert metadata["x-model-warning"].startswith("size=1e+06 outside")


size, raw_inputs, raw = homes_inputs()[0], *homes_raw()
WRONG: dict[str, bytes] = {
    "no message": b"\xff\xff",
    "no inputs": request("homes", []),
    "a column that is missing": request("homes", homes_inputs()[1:]),
    "a column twice": request("homes", [size, *homes_inputs()]),
    "an unknown output": request("homes", homes_inputs(), output="y"),
    "contents of another type": request(
        "homes", [tensor("size", "FP32", [1], put(7, struct.pack("<d", 80.5))), *homes_inputs()[1:]]
    ),
    "no contents": request("homes", raw_inputs),
    "a value too many": request(
        "homes",
        [tensor("size", "FP64", [1], put(7, struct.pack("<2d", 1, 2))), *homes_inputs()[1:]],
    ),
    "not finite": request(
        "homes",
        [tensor("size", "FP64", [1], put(7, struct.pack("<d", float("inf")))), *homes_inputs()[1:]],
    ),
    "missing where it may not be": request(
        "homes",
        [tensor("size", "FP64", [1], put(7, struct.pack("<d", float("nan")))), *homes_inputs()[1:]],
    ),
    "an INT8 beyond it": request(
        "homes", [tensor("size", "INT8", [1], put(2, varint(300))), *homes_inputs()[1:]]
    ),
    "FP16 that is not raw": request("homes", [tensor("size", "FP16", [1]), *homes_inputs()[1:]]),
    "BF16": request("homes", [tensor("size", "BF16", [1]), *raw_inputs[1:]], raw),
    "an unknown category": request(
        "homes",
        [*homes_inputs()[:2], tensor("region", "BYTES", [1], put(8, "west")), homes_inputs()[3]],
    ),
    "no text": request("homes", raw_inputs, [*raw[:2], struct.pack("<I", 1) + b"\xff", raw[3]]),
    "raw and typed": request("homes", homes_inputs(), raw),
    "raw for some": request("homes", raw_inputs, raw[:2]),
    "raw that is too short": request("homes", raw_inputs, [b"\x00", *raw[1:]]),
    "a length that lies": request(
        "homes", raw_inputs, [*raw[:2], struct.pack("<I", 1 << 31) + b"north", raw[3]]
    ),
    "a flag that is 2": request("homes", raw_inputs, [*raw[:3], b"\x02"]),
    "a negative shape": request(
        "homes", [tensor("size", "FP16", [(1 << 64) - 1]), *raw_inputs[1:]], raw
    ),
    "a huge shape": request(
        "homes", [tensor("size", "FP16", [1 << 62, 1 << 62]), *raw_inputs[1:]], raw
    ),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_and_said_why(channel: Any, content: bytes) -> None:  # noqa: ANN401
    code, details = refused(channel, "ModelInfer", content)
    assert code == Code.INVALID_ARGUMENT, details
    assert details


def test_other_models_and_versions_are_not_here(channel: Any) -> None:  # noqa: ANN401
    for method in ("ModelReady", "ModelMetadata"):
        assert refused(channel, method, put(1, "wine"))[0] == Code.NOT_FOUND
        assert refused(channel, method, put(1, "homes") + put(2, "8"))[0] == Code.NOT_FOUND
        assert refused(channel, method, put(1, "empty"))[0] == Code.UNAVAILABLE
    assert refused(channel, "ModelInfer", request("wine", []))[0] == Code.NOT_FOUND
    assert (
        refused(channel, "ModelInfer", request("homes", homes_inputs(), version="8"))[0]
        == Code.NOT_FOUND
    )
    assert refused(channel, "ModelInfer", request("empty", homes_inputs()))[0] == Code.UNAVAILABLE
    assert refused(channel, "Explain")[0] == Code.UNIMPLEMENTED


def test_a_message_that_is_too_large_is_refused(homes: ModelPackage) -> None:
    with listening({"homes": slot_of(homes)}, Limits(body=1000)) as started:
        assert refused(started.channel, "ModelInfer", bytes(2000))[0] == Code.RESOURCE_EXHAUSTED
        assert call(started.channel, "ModelInfer", request("homes", homes_inputs()))


def test_too_many_rows_are_refused(flowers: ModelPackage) -> None:
    with listening({"flowers": slot_of(flowers)}, Limits(rows=1)) as started:
        two = request("flowers", [tensor("x", "FP32", [2, 2])], [bytes(16)])
        assert refused(started.channel, "ModelInfer", two)[0] == Code.RESOURCE_EXHAUSTED


def test_too_many_calls_at_once_are_refused(homes: ModelPackage) -> None:
    with listening({"homes": slot_of(homes)}, Limits(requests=0)) as started:
        assert (
            refused(started.channel, "ModelInfer", request("homes", homes_inputs()))[0]
            == Code.UNAVAILABLE
        )
        assert call(started.channel, "ServerLive") == {1: [1]}


def test_a_key_is_asked_for_but_not_by_health_checks(homes: ModelPackage, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    asked = request("homes", homes_inputs())
    with listening({"homes": slot_of(homes)}, key_file=file) as started:
        channel = started.channel
        for method in ("ModelInfer", "ModelReady", "ModelMetadata", "ServerMetadata"):
            code, details = refused(channel, method, asked, x_api_key="wrong")
            assert code == Code.UNAUTHENTICATED
            assert "first" not in details
        assert call(channel, "ModelInfer", asked, x_api_key="first")
        assert call(channel, "ModelInfer", asked, authorization="Bearer first")
        assert call(channel, "ServerLive") == call(channel, "ServerReady") == {1: [1]}
        assert call(channel, "/grpc.health.v1.Health/Check") == {1: [1]}
        file.unlink()
        assert refused(channel, "ModelInfer", asked, x_api_key="first")[0] == Code.UNAVAILABLE


def test_a_call_in_flight_is_finished_at_shutdown(homes: ModelPackage) -> None:
    slot = slot_of(homes)
    begun = threading.Event()
    go_on = threading.Event()

    class Slow:
        def row(self, *_: object) -> None: ...

        def rows(self, *_: object) -> None:
            begun.set()
            assert go_on.wait(PATIENCE)

    served = slot.served
    assert served
    slot.swap(Served.make(homes, served.pointer, [Slow()]))
    inputs, raw = homes_raw()
    many = 2000
    inputs = [each.replace(put(3, b"\x01\x01"), put(3, varint(many) + b"\x01")) for each in inputs]
    content = request("homes", inputs, [each * many for each in raw])
    with listening({"homes": slot}) as started:
        waiting = started.channel.unary_unary(SERVICE + "ModelInfer").future(
            content, timeout=PATIENCE
        )
        assert begun.wait(PATIENCE)
        stopping = asyncio.run_coroutine_threadsafe(started.server.stop(PATIENCE), started.loop)
        go_on.set()
        assert len(doubles(fields(waiting.result())[6][0])) == many
        stopping.result(PATIENCE)
        assert refused(started.channel, "ServerLive")[0] == Code.UNAVAILABLE


def test_a_port_in_use_is_said(homes: ModelPackage) -> None:
    slots = {"homes": slot_of(homes)}
    with listening(slots) as started:
        second = start_grpc(slots, f"127.0.0.1:{started.server.port}", Limits())
        with pytest.raises(OSError, match="cannot listen"):
            asyncio.run_coroutine_threadsafe(second, started.loop).result(PATIENCE)


def test_the_server_needs_no_grpc() -> None:
    block = "import sys; sys.modules['grpc'] = sys.modules['google.protobuf'] = None; import api, api.server.run"
    subprocess.run([sys.executable, "-c", block], check=True, timeout=patience(60))
