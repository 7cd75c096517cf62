"""V2 over gRPC: messages packed by hand, from the protocol's field numbers, get right answers."""

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
from support.serving.wire import pack_field, pack_input, pack_request, pack_varint, read_fields

grpc = pytest.importorskip("grpc", reason="the extra `grpc` is not installed")

from support.serving.grpc_servers import running_grpc, slot_of, start_grpc  # noqa: E402 - only where there is gRPC

from api.limits import Limits  # noqa: E402
from api.serving.served import Served, Slot  # noqa: E402
from registry.package import ModelPackage  # noqa: E402

SERVICE = "/inference.GRPCInferenceService/"
ROW = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}
Code = grpc.StatusCode
Channel = Any  # grpc.Channel, which has no types


def homes_inputs() -> list[bytes]:
    return [
        pack_input("size", "FP64", [1], pack_field(7, struct.pack("<d", 80.5))),
        pack_input("age", "FP32", [1], pack_field(6, struct.pack("<f", 12.0))),
        pack_input("region", "BYTES", [1], pack_field(8, "north")),
        pack_input("garden", "BOOL", [1], pack_field(1, pack_varint(1))),
    ]


def homes_raw() -> tuple[list[bytes], list[bytes]]:
    types = {"size": "FP16", "age": "INT8", "region": "BYTES", "garden": "BOOL"}
    raw = [struct.pack("<e", 80.5), b"\x0c", struct.pack("<I", 5) + b"north", b"\x01"]
    return [pack_input(name, datatype, [1, 1]) for name, datatype in types.items()], raw


@pytest.fixture(scope="module")
def channel(homes: ModelPackage, flowers: ModelPackage) -> Iterator[Any]:
    with running_grpc(
        {"homes": slot_of(homes), "flowers": slot_of(flowers), "empty": Slot()}
    ) as started:
        yield started.channel


def call(
    channel: Channel, method: str, content: bytes = b"", **headers: str
) -> dict[int, list[Any]]:
    path = method if method.startswith("/") else SERVICE + method
    metadata = [(name.replace("_", "-"), value) for name, value in headers.items()]
    answer: bytes = channel.unary_unary(path)(content, timeout=PATIENCE, metadata=metadata)
    return read_fields(answer)


def refusal_of(
    channel: Channel, method: str, content: bytes = b"", **headers: str
) -> tuple[Any, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, content, **headers)
    return caught.value.code(), caught.value.details()


def code_of(channel: Channel, method: str, content: bytes = b"", **headers: str) -> Any:  # noqa: ANN401 - grpc has no types
    return refusal_of(channel, method, content, **headers)[0]


def doubles(content: bytes) -> list[float]:
    return [value for (value,) in struct.iter_unpack("<d", content)]


def test_the_server_and_its_models_are_described(channel: Channel, homes: ModelPackage) -> None:
    assert call(channel, "ServerLive") == {1: [1]}
    assert call(channel, "ServerMetadata")[1] == [b"tunegate"]
    assert call(channel, "ModelReady", pack_field(1, "homes") + pack_field(2, "7")) == {1: [1]}
    found = call(channel, "ModelMetadata", pack_field(1, "homes") + pack_field(2, homes.digest))
    assert (found[1], found[2]) == ([b"homes"], [homes.digest.encode()])
    inputs = [read_fields(each) for each in found[4]]
    assert [each[1][0].decode() for each in inputs] == [
        column.name for column in homes.manifest.columns
    ]
    minus_one = pack_varint((1 << 64) - 1)
    assert read_fields(found[5][0]) == {1: [b"predicted_price"], 2: [b"FP64"], 3: [minus_one]}


def test_readiness_waits_for_all_models(channel: Channel, homes: ModelPackage) -> None:
    health = "/grpc.health.v1.Health/Check"
    assert call(channel, "ServerReady") == {}  # proto3 sends no false
    assert call(channel, health) == {1: [2]}
    assert code_of(channel, health, pack_field(1, "other")) == Code.NOT_FOUND
    with running_grpc({"homes": slot_of(homes)}) as started:
        assert call(started.channel, "ServerReady") == call(started.channel, health) == {1: [1]}


def test_typed_contents_are_answered_as_typed_contents(
    channel: Channel, homes: ModelPackage
) -> None:
    found = call(channel, "ModelInfer", pack_request("homes", homes_inputs(), id="42"))
    assert (found[1], found[2], found[3]) == ([b"homes"], [homes.digest.encode()], [b"42"])
    (output,) = [read_fields(each) for each in found[5]]
    assert (output[1], output[2], output[3]) == ([b"predicted_price"], [b"FP64"], [b"\x01"])
    expected = homes.predict({name: [value] for name, value in ROW.items()})[:, 0].tolist()
    assert doubles(read_fields(output[5][0])[7][0]) == expected


def test_raw_contents_are_answered_as_raw_contents(channel: Channel, homes: ModelPackage) -> None:
    found = call(channel, "ModelInfer", pack_request("homes", *homes_raw()))
    assert 5 not in read_fields(found[5][0])
    expected = homes.predict({name: [value] for name, value in ROW.items()})[:, 0].tolist()
    assert doubles(found[6][0]) == expected


def test_a_class_and_probabilities(channel: Channel, flowers: ModelPackage) -> None:
    x = struct.pack("<4f", 0.5, 1.5, 2.0, -0.25)
    found = call(
        channel, "ModelInfer", pack_request("flowers", [pack_input("input-0", "FP32", [2, 2])], [x])
    )
    first, second = (column.name for column in flowers.manifest.columns)
    shares = flowers.predict({first: [0.5, 2.0], second: [1.5, -0.25]})
    names = [str(flowers.manifest.classes[i]).encode() for i in shares.argmax(axis=1)]
    assert found[6][0] == b"".join(struct.pack("<I", len(name)) + name for name in names)
    assert doubles(found[6][1]) == shares.ravel().tolist()
    assert read_fields(found[5][1])[3] == [bytes(shares.shape)]


def test_an_output_is_given_by_name(channel: Channel) -> None:
    contents = pack_field(6, struct.pack("<2f", 0.5, 1.5))
    asked = pack_request(
        "flowers", [pack_input("x", "FP32", [1, 2], contents)], output="probabilities"
    )
    assert [read_fields(each)[1] for each in call(channel, "ModelInfer", asked)[5]] == [
        [b"probabilities"]
    ]


def test_many_rows_are_answered_too(channel: Channel, flowers: ModelPackage) -> None:
    n = 20_000
    x = struct.pack(f"<{2 * n}d", *(i / n for i in range(2 * n)))
    found = call(
        channel,
        "ModelInfer",
        pack_request("flowers", [pack_input("x", "FP64", [n, 2])], [x], output="probabilities"),
    )
    a = [i / n for i in range(0, 2 * n, 2)]
    b = [i / n for i in range(1, 2 * n, 2)]
    table = dict(zip([column.name for column in flowers.manifest.columns], (a, b), strict=True))
    assert doubles(found[6][0]) == flowers.predict(table).ravel().tolist()


def test_the_metadata_names_the_model_and_what_it_has_not_seen(
    channel: Channel, homes: ModelPackage
) -> None:
    _, answer = channel.unary_unary(SERVICE + "ModelInfer").with_call(
        with_size("FP64", pack_doubles(1e6)), timeout=PATIENCE
    )
    metadata = dict(answer.initial_metadata())
    assert metadata["x-model-version"] == homes.digest
    assert metadata["x-model-warning"].startswith("size=1e+06 outside")


RAW_INPUTS, RAW = homes_raw()


def pack_doubles(*values: float) -> bytes:
    """Pack contents of FP64."""
    return pack_field(7, struct.pack(f"<{len(values)}d", *values))


def with_size(datatype: str, contents: bytes = b"") -> bytes:
    """Pack a request with this tensor of sizes, the other tensors being good."""
    size = pack_input("size", datatype, [1], contents)
    return pack_request("homes", [size, *homes_inputs()[1:]])


def with_raw_size(datatype: str, shape: list[int]) -> bytes:
    """Pack a request of raw contents with this description of the sizes, the rest being good."""
    return pack_request("homes", [pack_input("size", datatype, shape), *RAW_INPUTS[1:]], RAW)


def with_raw(number: int, content: bytes) -> bytes:
    """Pack a request with these raw contents of one input, the others being good."""
    return pack_request("homes", RAW_INPUTS, [*RAW[:number], content, *RAW[number + 1 :]])


def with_region(region: str) -> bytes:
    size, age, _, garden = homes_inputs()
    tensor = pack_input("region", "BYTES", [1], pack_field(8, region))
    return pack_request("homes", [size, age, tensor, garden])


WRONG: dict[str, bytes] = {
    "no message": b"\xff\xff",
    "no inputs": pack_request("homes", []),
    "a column that is missing": pack_request("homes", homes_inputs()[1:]),
    "a column twice": pack_request("homes", [homes_inputs()[0], *homes_inputs()]),
    "an unknown output": pack_request("homes", homes_inputs(), output="y"),
    "contents of another type": with_size("FP32", pack_doubles(80.5)),
    "no contents": pack_request("homes", RAW_INPUTS),
    "a value too many": with_size("FP64", pack_doubles(1, 2)),
    "not finite": with_size("FP64", pack_doubles(float("inf"))),
    "missing where it may not be": with_size("FP64", pack_doubles(float("nan"))),
    "an INT8 beyond it": with_size("INT8", pack_field(2, pack_varint(300))),
    "FP16 that is not raw": with_size("FP16"),
    "BF16": with_raw_size("BF16", [1]),
    "an unknown category": with_region("west"),
    "no text": with_raw(2, struct.pack("<I", 1) + b"\xff"),
    "raw and typed": pack_request("homes", homes_inputs(), RAW),
    "raw for some": pack_request("homes", RAW_INPUTS, RAW[:2]),
    "raw that is too short": with_raw(0, b"\x00"),
    "a length that lies": with_raw(2, struct.pack("<I", 1 << 31) + b"north"),
    "a flag that is 2": with_raw(3, b"\x02"),
    "a negative shape": with_raw_size("FP16", [(1 << 64) - 1]),
    "a huge shape": with_raw_size("FP16", [1 << 62, 1 << 62]),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_with_a_reason(channel: Channel, content: bytes) -> None:
    code, details = refusal_of(channel, "ModelInfer", content)
    assert code == Code.INVALID_ARGUMENT, details
    assert details


def test_other_models_and_versions_are_not_here(channel: Channel) -> None:
    for method in ("ModelReady", "ModelMetadata"):
        assert code_of(channel, method, pack_field(1, "wine")) == Code.NOT_FOUND
        assert (
            code_of(channel, method, pack_field(1, "homes") + pack_field(2, "8")) == Code.NOT_FOUND
        )
        assert code_of(channel, method, pack_field(1, "empty")) == Code.UNAVAILABLE
    assert code_of(channel, "ModelInfer", pack_request("wine", [])) == Code.NOT_FOUND
    assert (
        code_of(channel, "ModelInfer", pack_request("homes", homes_inputs(), version="8"))
        == Code.NOT_FOUND
    )
    assert code_of(channel, "ModelInfer", pack_request("empty", homes_inputs())) == Code.UNAVAILABLE
    assert code_of(channel, "Explain") == Code.UNIMPLEMENTED


def test_a_message_that_is_too_large_is_refused(homes: ModelPackage) -> None:
    with running_grpc({"homes": slot_of(homes)}, Limits(body=1000)) as started:
        assert code_of(started.channel, "ModelInfer", bytes(2000)) == Code.RESOURCE_EXHAUSTED
        assert call(started.channel, "ModelInfer", pack_request("homes", homes_inputs()))


def test_too_many_rows_in_a_call_are_refused(flowers: ModelPackage) -> None:
    with running_grpc({"flowers": slot_of(flowers)}, Limits(rows=1)) as started:
        two = pack_request("flowers", [pack_input("x", "FP32", [2, 2])], [bytes(16)])
        assert code_of(started.channel, "ModelInfer", two) == Code.RESOURCE_EXHAUSTED


def test_too_many_calls_at_once_are_refused(homes: ModelPackage) -> None:
    with running_grpc({"homes": slot_of(homes)}, Limits(requests=0)) as started:
        assert (
            code_of(started.channel, "ModelInfer", pack_request("homes", homes_inputs()))
            == Code.UNAVAILABLE
        )
        assert call(started.channel, "ServerLive") == {1: [1]}


def test_a_key_is_asked_for_but_not_by_health_checks(homes: ModelPackage, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    asked = pack_request("homes", homes_inputs())
    with running_grpc({"homes": slot_of(homes)}, key_file=file) as started:
        channel = started.channel
        for method in ("ModelInfer", "ModelReady", "ModelMetadata", "ServerMetadata"):
            code, details = refusal_of(channel, method, asked, x_api_key="wrong")
            assert code == Code.UNAUTHENTICATED
            assert "first" not in details
        assert call(channel, "ModelInfer", asked, x_api_key="first")
        assert call(channel, "ModelInfer", asked, authorization="Bearer first")
        assert call(channel, "ServerLive") == call(channel, "ServerReady") == {1: [1]}
        assert call(channel, "/grpc.health.v1.Health/Check") == {1: [1]}
        file.unlink()
        assert code_of(channel, "ModelInfer", asked, x_api_key="first") == Code.UNAVAILABLE


def test_a_call_in_flight_is_finished_at_shutdown(homes: ModelPackage) -> None:
    slot = slot_of(homes)
    begun = threading.Event()
    proceed = threading.Event()

    class Slow:
        def row(self, *_: object) -> None: ...

        def rows(self, *_: object) -> None:
            begun.set()
            assert proceed.wait(PATIENCE)

    served = slot.served
    assert served
    slot.swap(Served.make(homes, served.pointer, [Slow()]))
    inputs, raw = homes_raw()
    many = 2000
    inputs = [
        each.replace(pack_field(3, b"\x01\x01"), pack_field(3, pack_varint(many) + b"\x01"))
        for each in inputs
    ]
    content = pack_request("homes", inputs, [each * many for each in raw])
    with running_grpc({"homes": slot}) as started:
        waiting = started.channel.unary_unary(SERVICE + "ModelInfer").future(
            content, timeout=PATIENCE
        )
        assert begun.wait(PATIENCE)
        stopping = asyncio.run_coroutine_threadsafe(started.server.stop(PATIENCE), started.loop)
        proceed.set()
        assert len(doubles(read_fields(waiting.result())[6][0])) == many
        stopping.result(PATIENCE)
        assert code_of(started.channel, "ServerLive") == Code.UNAVAILABLE


def test_a_port_in_use_is_an_error(homes: ModelPackage) -> None:
    slots = {"homes": slot_of(homes)}
    with running_grpc(slots) as started:
        second = start_grpc(slots, f"127.0.0.1:{started.port}", Limits())
        with pytest.raises(OSError, match="cannot listen"):
            asyncio.run_coroutine_threadsafe(second, started.loop).result(PATIENCE)


def test_the_server_needs_no_grpc() -> None:
    block = "import sys; sys.modules['grpc'] = sys.modules['google.protobuf'] = None"
    code = f"{block}; import api, api.server.run"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=patience(60))
