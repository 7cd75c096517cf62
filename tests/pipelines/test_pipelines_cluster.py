"""The pipeline's search on Katib: created on a real cluster, waited for, and promoted here."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.cli import tunegate
from support.cluster.clusters import temporary_namespace, write_experiment_file
from support.cluster.deployment import VOLUMES
from support.cluster.kubectl import kubectl, kubectl_json
from support.patience import patience
from support.pipelines import has_kfp, kfp

CLAIM = "tunegate-models"
EXPERIMENT = Path(__file__).parents[2] / "manifests" / "experiment.yaml"
# Where both trials are about as good as the library's defaults, which the gate asks for.
GOOD = {
    "max_features": ("0.3", "0.5"),
    "min_samples_leaf": ("1", "2"),
    "min_samples_split": ("2", "3"),
    "max_depth": ("20", "30"),
    "max_samples": ("0.9", "1.0"),
}
NOBODY = 10001  # the account of our images

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(patience(600)),
    pytest.mark.skipif(not has_kfp(), reason="run scripts/peers kfp"),
    pytest.mark.skipif(not os.access(VOLUMES, os.W_OK), reason="the node is not this machine"),
]


@pytest.fixture
def room() -> Iterator[tuple[str, Path]]:
    """A namespace for trials, and the folder of this machine that is their volume."""
    with temporary_namespace() as namespace:
        volume = Path(VOLUMES) / namespace
        (volume / "trials").mkdir(parents=True)
        os.chown(volume / "trials", NOBODY, NOBODY)
        common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        size = {"storage": "1Gi"}
        items = [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": namespace},
                "spec": {**common, "capacity": size, "hostPath": {"path": str(volume)}},
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": CLAIM, "namespace": namespace},
                "spec": {**common, "resources": {"requests": size}, "volumeName": namespace},
            },
        ]
        objects = {"apiVersion": "v1", "kind": "List", "items": items}
        try:
            kubectl("apply", "-f", "-", stdin=json.dumps(objects))
            yield namespace, volume
        finally:
            kubectl("delete", "pv", namespace, "--ignore-not-found", "--wait=false")
            shutil.rmtree(volume, ignore_errors=True)


def test_katibs_best_trial_comes_into_production(room: tuple[str, Path], tmp_path: Path) -> None:
    namespace, volume = room
    document = yaml.safe_load(EXPERIMENT.read_text().replace("-estimators=200", "-estimators=40"))
    document["metadata"]["namespace"] = namespace
    counts = ("maxTrialCount", "maxFailedTrialCount", "parallelTrialCount")
    document["spec"] |= dict.fromkeys(counts, 2)
    for parameter in document["spec"]["parameters"]:
        if parameter["name"] in GOOD:
            low, high = GOOD[parameter["name"]]
            parameter["feasibleSpace"] |= {"min": low, "max": high}
    experiment = write_experiment_file(document, tmp_path)
    state = tmp_path / "state"
    words = (f"experiment=@{experiment}", f"store={volume}", f"state={state}")
    metrics = json.loads(kfp("pipelines.run_local", "house_prices", *words))
    assert 5 < metrics["mse"] < 30
    [item] = kubectl_json("experiments", "-n", namespace)["items"]
    assert item["status"]["trialsSucceeded"] == 2
    history = json.loads(tunegate("history", "--state", state, "--json", cwd=tmp_path).stdout)
    [entry] = history
    trials = {each["metadata"]["name"] for each in kubectl_json("trials", "-n", namespace)["items"]}
    assert entry["promotion"]["trial"] in trials
    assert json.loads((volume / "pointers" / "boston.json").read_bytes())["number"] == 1
