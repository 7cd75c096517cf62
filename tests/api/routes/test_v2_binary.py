"""Binary tensors over REST: packed here by hand, answered as JSON is.

No lie about a size gets through.
"""

import json
import struct
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from registry.package import ModelPackage

HEADER = "Inference-Header-Content-Length"
INFER = "/v2/models/homes/infer"
SIZES = struct.pack("<2d", 80.5, 21.0)
AGES = struct.pack("<2f", 12.0, float("nan"))
REGIONS = struct.pack("<I5sI4s", 5, b"north", 4, b"east")
GARDENS = b"\x01\x00"


@pytest.fixture
def answers(homes: ModelPackage) -> list[float]:
    table = {
        "size": [80.5, 21.0],
        "age": [12.0, None],
        "region": ["north", "east"],
        "garden": [True, False],
    }
    return homes.predict(table)[:, 0].tolist()


def tensor(name: str, datatype: str, size: object, shape: Sequence[int] = (2,)) -> dict[str, Any]:
    return {
        "name": name,
        "shape": list(shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": size},
    }


def inputs(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    found = {
        "size": tensor("size", "FP64", len(SIZES)),
        "age": tensor("age", "FP32", len(AGES)),
        "region": tensor("region", "BYTES", len(REGIONS)),
        "garden": tensor("garden", "BOOL", len(GARDENS)),
    }
    return [{**each, **changes.get(name, {})} for name, each in found.items()]


def post(
    client: httpx.Client,
    document: Any,  # noqa: ANN401
    *contents: bytes,
    length: object = None,
) -> httpx.Response:
    text = json.dumps(document).encode()
    header = str(len(text) if length is None else length)
    return client.post(INFER, content=text + b"".join(contents), headers={HEADER: header})


def test_all_as_bytes(client: httpx.Client, answers: list[float]) -> None:
    answer = post(client, {"inputs": inputs()}, SIZES, AGES, REGIONS, GARDENS)
    assert answer.json()["outputs"][0]["data"] == answers
    assert HEADER not in answer.headers


def test_some_as_bytes_in_the_order_of_the_inputs(
    client: httpx.Client, answers: list[float]
) -> None:
    mixed = inputs(
        size={"parameters": None, "data": [80.5, 21]},
        region={"parameters": {}, "data": ["north", "east"]},
    )
    assert (
        post(client, {"inputs": mixed[::-1]}, GARDENS, AGES).json()["outputs"][0]["data"] == answers
    )


@pytest.mark.parametrize(
    ("asked", "binary"),
    [
        ({"parameters": {"binary_data_output": True}}, True),
        ({"outputs": [{"name": "predicted_price", "parameters": {"binary_data": True}}]}, True),
        (
            {"outputs": [{"name": "predicted_price"}], "parameters": {"binary_data_output": True}},
            True,
        ),
        (
            {
                "outputs": [{"name": "predicted_price", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            },
            False,
        ),
        ({"outputs": [{"name": "predicted_price"}]}, False),
    ],
)
def test_outputs_come_as_they_are_asked_for(
    client: httpx.Client, answers: list[float], asked: dict[str, Any], *, binary: bool
) -> None:
    answer = post(client, {"inputs": inputs(), **asked}, SIZES, AGES, REGIONS, GARDENS)
    if not binary:
        assert answer.json()["outputs"][0]["data"] == answers
        return
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[HEADER])
    (output,) = json.loads(answer.content[:length])["outputs"]
    about = {
        "name": "predicted_price",
        "shape": [2],
        "datatype": "FP64",
        "parameters": {"binary_data_size": 16},
    }
    assert output == about
    assert list(struct.unpack("<2d", answer.content[length:])) == answers


def test_a_class_comes_as_bytes_and_probabilities_as_json(
    flowers_client: httpx.Client, flowers: ModelPackage
) -> None:
    x = np.array([[0.5, 1.5], [2.0, -0.25]], dtype="<f4")
    outputs = [{"name": "kind", "parameters": {"binary_data": True}}, {"name": "probabilities"}]
    outputs[0]["name"] = flowers.manifest.prediction
    document = json.dumps(
        {"inputs": [tensor("x", "FP32", 16, (2, 2))], "outputs": outputs}
    ).encode()
    path = "/v2/models/flowers/infer"
    headers = {HEADER: str(len(document))}
    answer = flowers_client.post(path, content=document + x.tobytes(), headers=headers)
    length = int(answer.headers[HEADER])
    shares = flowers.predict(
        {c.name: x[:, i].astype(float) for i, c in enumerate(flowers.manifest.columns)}
    )
    names = [str(flowers.manifest.classes[i]).encode() for i in shares.argmax(axis=1)]
    assert answer.content[length:] == b"".join(
        struct.pack("<I", len(name)) + name for name in names
    )
    assert json.loads(answer.content[:length])["outputs"][1]["data"] == shares.ravel().tolist()


def test_ten_thousand_rows(flowers_client: httpx.Client, flowers: ModelPackage) -> None:
    x = np.random.default_rng(1).normal(size=(10_000, 2)).astype("<f4")
    asked = {
        "inputs": [tensor("x", "FP32", x.nbytes, x.shape)],
        "parameters": {"binary_data_output": True},
    }
    document = json.dumps(asked).encode()
    document += b" " * (
        3 - len(document) % 4
    )  # so that the numbers do not lie where numbers like to lie
    path = "/v2/models/flowers/infer"
    headers = {HEADER: str(len(document))}
    answer = flowers_client.post(path, content=document + x.tobytes(), headers=headers)
    shares = flowers.predict(
        {c.name: x[:, i].astype(float) for i, c in enumerate(flowers.manifest.columns)}
    )
    assert answer.content.endswith(shares.tobytes())


def test_a_bound_of_the_training_range_is_inside_it_as_float32_too(
    client: httpx.Client, homes: ModelPackage
) -> None:
    age = next(column for column in homes.manifest.columns if column.name == "age")
    assert age.maximum is not None
    assert float(np.float32(age.maximum)) != age.maximum
    ages = np.array([age.minimum, age.maximum], dtype="<f4").tobytes()
    answer = post(client, {"inputs": inputs()}, SIZES, ages, REGIONS, GARDENS)
    assert answer.status_code == 200
    assert "X-Model-Warning" not in answer.headers


WRONG: dict[str, tuple[dict[str, Any], tuple[bytes, ...], str]] = {
    "a tensor that is short": (
        {"size": {"parameters": {"binary_data_size": 8}}},
        (SIZES[:8],),
        "size: has 8 bytes",
    ),
    "more than there is": (
        {"size": {"parameters": {"binary_data_size": 17}}},
        (SIZES,),
        "add up to",
    ),
    "less than there is": ({}, (SIZES, b"\x00"), "add up to"),
    "a negative size": (
        {"size": {"parameters": {"binary_data_size": -16}}},
        (SIZES,),
        "size: needs data",
    ),
    "a size that is a text": (
        {"size": {"parameters": {"binary_data_size": "16"}}},
        (SIZES,),
        "size: needs data",
    ),
    "a size that is true": (
        {"size": {"parameters": {"binary_data_size": True}}},
        (SIZES,),
        "size: needs data",
    ),
    "a size that is a fraction": (
        {"size": {"parameters": {"binary_data_size": 16.0}}},
        (SIZES,),
        "size: needs data",
    ),
    "a huge size": (
        {"size": {"parameters": {"binary_data_size": 1 << 80}}},
        (SIZES,),
        "as a number of bytes",
    ),
    "a huge shape": ({"size": {"shape": [1 << 62]}}, (SIZES,), "size: has shape [4611"),
    "a shape that does not fit": ({"size": {"shape": [3]}}, (SIZES,), "size: has 16 bytes"),
    "a shape of nothing": ({"size": {"shape": [0]}}, (SIZES,), "size: has shape [0]"),
    "another datatype": ({"size": {"datatype": "FP32"}}, (SIZES,), "size: has 16 bytes"),
    "BF16": ({"size": {"datatype": "BF16"}}, (SIZES,), "size: has datatype BF16"),
    "NaN": ({}, (struct.pack("<2d", 1, float("nan")),), "size[1]: is missing"),
    "infinity": ({}, (struct.pack("<2d", 1, float("inf")),), "size[1]: is too large"),
    "beyond float32": ({}, (struct.pack("<2d", 1, -3.5e38),), "size[1]: is too large"),
}


@pytest.mark.parametrize(("changes", "sizes", "text"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused(
    client: httpx.Client, changes: dict[str, Any], sizes: tuple[bytes, ...], text: str
) -> None:
    answer = post(client, {"inputs": inputs(**changes)}, *sizes, AGES, REGIONS, GARDENS)
    assert answer.status_code == 422
    assert text in answer.json()["error"]


@pytest.mark.parametrize(
    ("regions", "text"),
    [
        (struct.pack("<I5sI4s", 5, b"north", 5, b"east"), "region[1]: has a length that ends"),
        (struct.pack("<I5sI4s", 5, b"north", 3, b"east"), "region: has 17 bytes"),
        (
            struct.pack("<I5sI4s", 1 << 31, b"north", 4, b"east"),
            "region[0]: has a length that ends",
        ),
        (struct.pack("<I13s", 13, b"n" * 13), "region: has 17 bytes"),
        (struct.pack("<I5sI4s", 5, b"north", 4, b"\xff\xfe\x00\x00"), "region[1]: is not UTF-8"),
        (struct.pack("<I5sI4s", 5, b"north", 4, b"west"), "region[1]: 'west' is no category"),
    ],
)
def test_texts_that_do_not_fit_are_refused(client: httpx.Client, regions: bytes, text: str) -> None:
    answer = post(client, {"inputs": inputs()}, SIZES, AGES, regions, GARDENS)
    assert answer.status_code == 422
    assert text in answer.json()["error"]


def test_a_flag_is_one_or_nothing(client: httpx.Client) -> None:
    answer = post(client, {"inputs": inputs()}, SIZES, AGES, REGIONS, b"\x01\x02")
    assert "garden[1]: is neither 0 nor 1" in answer.json()["error"]


@pytest.mark.parametrize("length", ["", "-1", "1e2", "+5", "0x10", "9" * 5000, 1 << 20, "²"])
def test_a_wrong_header_is_refused(client: httpx.Client, length: object) -> None:
    text = json.dumps({"inputs": inputs()}).encode()
    headers = [(HEADER.encode(), str(length).encode())]
    answer = client.post(INFER, content=text + SIZES + AGES + REGIONS + GARDENS, headers=headers)
    assert answer.status_code == 400
    assert HEADER in answer.json()["error"]


@pytest.mark.parametrize("length", [0, 1, -1])
def test_a_header_that_cuts_elsewhere_is_refused(client: httpx.Client, length: int) -> None:
    document = {"inputs": inputs()}
    actual = len(json.dumps(document))
    answer = post(
        client, document, SIZES, AGES, REGIONS, GARDENS, length=length and actual + length
    )
    assert answer.status_code == 422


def test_bytes_without_the_header_are_no_json(client: httpx.Client) -> None:
    text = json.dumps({"inputs": inputs()}).encode()
    assert client.post(INFER, content=text + SIZES + AGES + REGIONS + GARDENS).status_code == 422
