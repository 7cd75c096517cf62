"""What manifests/kserve says is what KServe's own package knows, and serves KServe's example."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from support.cli import ROOT
from support.registry import toy_data as toy
from support.serving.servers import put, running

from registry import ModelStore
from trainer.dataset import load_dataset

FOLDER = ROOT / "manifests" / "kserve"
FILES = [path for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "kustomization"]
EXAMPLE = {"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}
HOST = "sklearn-iris.tunegate.example.com"


def objects() -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in FILES]


def faults(python: Path, items: list[dict[str, Any]]) -> list[str]:
    done = subprocess.run(
        [str(python), str(Path(__file__).parent / "check_kserve_objects.py")],
        input=json.dumps(items),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_kserves_own_models_know_every_field(peer: Callable[[str], Path]) -> None:
    python = peer("kserve")
    wrong = objects()[0] | {"spec": {"predictor": {"model": {"storageUrl": ""}}}}
    assert faults(python, [wrong]) == [
        "InferenceService.spec.predictor.model: V1beta1ModelSpec has no storageUrl"
    ]
    assert faults(python, objects()) == []


def test_both_runtimes_are_one() -> None:
    runtimes = [item for item in objects() if item["kind"].endswith("ServingRuntime")]
    assert {item["kind"] for item in runtimes} == {"ServingRuntime", "ClusterServingRuntime"}
    assert runtimes[0]["spec"] == runtimes[1]["spec"]
    formats = {each["name"] for each in runtimes[0]["spec"]["supportedModelFormats"]}
    services = [item for item in objects() if item["kind"] == "InferenceService"]
    assert {
        item["spec"]["predictor"]["model"]["modelFormat"]["name"] for item in services
    } == formats


def test_the_published_request_has_the_published_answer(tmp_path: Path) -> None:
    """By curl, with the Host header, as KServe's page sends it through its gateway."""
    dataset = load_dataset(str(ROOT / "examples" / "sklearn-iris.toml"))
    package = toy.package(dataset, tmp_path / "iris-good", {"n_estimators": 10})
    store = ModelStore(tmp_path / "store")
    put(store, package)
    with running(store, "sklearn-iris") as server:
        command = ["curl", "-s", "-H", f"Host: {HOST}", "-d", json.dumps(EXAMPLE)]
        url = f"{server.url}/v1/models/sklearn-iris:predict"
        done = subprocess.run([*command, url], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == {"predictions": [1, 1]}
