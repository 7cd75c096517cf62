"""What lint knows of Kubeflow's jobs is what the models of Kubeflow's own packages say."""

import subprocess
from pathlib import Path

import pytest

from .conftest import Peer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "package"), [("katib", "kubeflow-training"), ("kubeflow", "kubeflow-trainer-api")]
)
def test_lint_has_the_fields_of_the_models(peer: Peer, name: str, package: str) -> None:
    command = [str(peer(name)), str(ROOT / "scripts" / "training_schema.py"), package]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert (ROOT / "katib" / "lint" / f"{package}.json").read_text(encoding="utf-8") == done.stdout
