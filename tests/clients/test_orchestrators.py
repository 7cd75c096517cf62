"""Airflow and the models of Argo Workflows read our examples, whose steps are commands of ours."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import ROOT
from support.command_lines import parse_command

EXAMPLES = ROOT / "examples" / "orchestrators"
DAG = EXAMPLES / "airflow_dag.py"
WORKFLOW = EXAMPLES / "argo_workflow.yaml"


@pytest.fixture(scope="module")
def found(peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What they found, see read_orchestrators.py."""
    program = Path(__file__).parent / "read_orchestrators.py"
    done = subprocess.run(
        [str(peer("orchestrators")), str(program), str(DAG), str(WORKFLOW)],
        env={"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_airflows_tasks_are_commands(found: dict[str, Any]) -> None:
    assert found["after"] == {
        "tune": ["promote", "report"],
        "report": [],
        "promote": ["smoke"],
        "smoke": [],
    }
    for name, command in found["commands"].items():
        assert command.split()[1] == name
        parse_command(command)


def test_argos_model_knows_every_field(found: dict[str, Any]) -> None:
    assert found["workflow"] == yaml.safe_load(WORKFLOW.read_text())


def test_argos_steps_are_commands() -> None:
    document = yaml.safe_load(WORKFLOW.read_text())
    templates = {each["name"]: each for each in document["spec"]["templates"]}
    steps = [step["template"] for [step] in templates[document["spec"]["entrypoint"]]["steps"]]
    assert steps == ["tune", "promote", "history"]
    for name in steps:
        parse_command(shlex.join(templates[name]["container"]["command"]))
