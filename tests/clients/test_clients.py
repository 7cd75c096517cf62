"""Clients that others wrote get what the package predicts."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.patience import patience
from support.serving.code_blocks import blocks
from support.serving.servers import Running

from .conftest import EXAMPLE, ROWS, Results, Served

ROOT = Path(__file__).parents[2]
Answers = Callable[[str], Results]

KSERVE_IRIS = [
    "iris FP64 JSON",
    "iris FP32 JSON",
    "iris FP64 binary",
    "iris FP32 binary",
    "iris binary both ways",
    "iris binary back",
    "iris gRPC",
]
KSERVE_HOMES = [
    "homes JSON",
    "homes binary",
    "homes binary both ways",
    "homes gRPC",
    "homes gRPC contents",
]
TRITON_IRIS = [
    "iris FP64 JSON",
    "iris FP32 JSON",
    "iris FP64 binary",
    "iris FP32 binary",
    "iris binary there",
    "iris binary back",
    "iris unasked",
    "iris gRPC",
    "iris gRPC FP32",
]


def result(answers: Results, way: str) -> Any:  # noqa: ANN401 - JSON
    assert "result" in answers[way], answers[way]["error"]
    return answers[way]["result"]


def check_iris(found: dict[str, Any], served: Served) -> None:
    assert found["predicted_target"] == served.kinds()
    assert found["probabilities"] == served.shares().ravel().tolist()


def test_the_kserve_example_is_answered_as_kserve_does(served: Served) -> None:
    answer = served.iris_server.client.post("/v1/models/iris:predict", json={"instances": EXAMPLE})
    assert answer.content == b'{"predictions":[1,1]}'


@pytest.mark.parametrize("way", KSERVE_IRIS)
def test_kserves_client_asks_about_irises(way: str, answers: Answers, served: Served) -> None:
    check_iris(result(answers("kserve"), way), served)


@pytest.mark.parametrize("way", KSERVE_HOMES)
def test_kserves_client_asks_about_homes(way: str, answers: Answers, served: Served) -> None:
    assert result(answers("kserve"), way) == {"predicted_price": served.prices()}


def test_kserves_client_asks_by_v1_and_for_health(answers: Answers) -> None:
    found = answers("kserve")
    assert result(found, "v1") == {"predictions": [1, 1]}
    assert result(found, "v1 ready") is True
    assert result(found, "v2 health") == [True, True, True]


@pytest.mark.parametrize("way", TRITON_IRIS)
def test_tritons_client_asks_about_irises(way: str, answers: Answers, served: Served) -> None:
    check_iris(result(answers("triton"), way), served)


@pytest.mark.parametrize("way", ["homes JSON", "homes binary", "homes gRPC"])
def test_tritons_client_asks_about_homes(way: str, answers: Answers, served: Served) -> None:
    assert result(answers("triton"), way) == {"predicted_price": served.prices()}


def test_tritons_client_gets_the_output_it_asks_for(answers: Answers, served: Served) -> None:
    assert result(answers("triton"), "iris one output") == {
        "probabilities": served.shares().ravel().tolist()
    }


def test_tritons_client_learns_about_server_and_model(answers: Answers, served: Served) -> None:
    found = result(answers("triton"), "about")
    assert (found["live"], found["ready"], found["model ready"], found["other ready"]) == (
        True,
        True,
        True,
        False,
    )
    assert found["server"]["name"] == "tunegate"
    assert found["model"]["versions"] == [served.homes.digest]
    assert [each["name"] for each in found["model"]["inputs"]] == [
        "size",
        "age",
        "region",
        "garden",
    ]


def test_tritons_client_learns_the_same_over_grpc(answers: Answers, served: Served) -> None:
    found = result(answers("triton"), "about gRPC")
    assert (found["live"], found["ready"], found["model ready"]) == (True, True, True)
    assert found["server"]["name"] == "tunegate"
    assert found["model"]["versions"] == [served.homes.digest]
    assert [each["datatype"] for each in found["model"]["inputs"]] == [
        "FP64",
        "FP64",
        "BYTES",
        "BOOL",
    ]


def test_tritons_client_can_read_why_it_was_refused(answers: Answers) -> None:
    assert "[rows, 4] is expected" in result(answers("triton"), "refused")
    assert result(answers("triton"), "compressed").startswith("refused")


@pytest.mark.parametrize("way", ["numpy FP64", "numpy FP32"])
def test_mlservers_numpy_codec_asks_about_irises(
    way: str, answers: Answers, served: Served
) -> None:
    check_iris(result(answers("mlserver"), way), served)


@pytest.mark.parametrize("way", ["pandas", "pandas to bytes"])
def test_mlservers_pandas_codec_asks_about_homes(
    way: str, answers: Answers, served: Served
) -> None:
    assert result(answers("mlserver"), way) == {"predicted_price": served.prices()}


def test_mlservers_pandas_codec_reads_the_answer(answers: Answers, served: Served) -> None:
    assert result(answers("mlserver"), "to pandas") == served.prices()


def test_a_gap_in_a_table_is_a_missing_value(answers: Answers, served: Served) -> None:
    ages = [None if i == 1 else age for i, age in enumerate(ROWS["age"])]
    expected = [float(value) for value in served.homes.predict({**ROWS, "age": ages})[:, 0]]
    assert result(answers("mlserver"), "pandas with a gap") == {"predicted_price": expected}
    assert expected != served.prices()


@pytest.mark.parametrize("way", ["batches", "batches in binary"])
def test_mlservers_batch_client_asks_about_irises(
    way: str, answers: Answers, served: Served
) -> None:
    assert result(answers("mlserver"), way) == [[kind] for kind in served.kinds()]


def run_curl(command: str, server: Running) -> Any:  # noqa: ANN401 - JSON
    command = re.sub(r"http://(127\.0\.0\.1:8000|\$\(minikube ip\):30080)", server.url, command)
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=patience(60), check=True
    )
    return json.loads(done.stdout)


def test_the_curl_lines_of_the_page_give_what_it_shows(served: Served) -> None:
    page = ROOT / "docs" / "clients.md"
    v1, v2 = (run_curl(command, served.iris_server) for command in blocks(page, "sh"))
    assert v1 == json.loads(blocks(page, "json")[0])
    check_iris({output["name"]: output["data"] for output in v2["outputs"]}, served)
