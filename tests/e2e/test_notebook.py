"""The example notebooks run as they are, and are kept without outputs."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support.cli import ROOT, tunegate
from support.patience import patience

NOTEBOOK = ROOT / "examples" / "flats.ipynb"
TITANIC = ROOT / "examples" / "titanic"


@pytest.mark.parametrize("notebook", [NOTEBOOK, TITANIC / "titanic.ipynb"])
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    assert all(cell.get("execution_count") is None for cell in cells)


def test_the_notebook_runs_and_the_command_line_sees_what_it_did(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "flats.csv", tmp_path)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # A cell more than the file has: an error that nobody catches shows its hint too.
    notebook.cells.append(nbformat.v4.new_code_cell("tg.load('horses')"))
    client = NotebookClient(
        notebook,
        timeout=round(patience(300)),
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    errors = [output for output in outputs if output["output_type"] == "error"]
    assert [error["ename"] for error in errors] == ["UsageError"], errors
    assert "in production: flats" in "\n".join(errors[0]["traceback"])
    shown = [output["data"].get("text/html", "") for output in outputs if "data" in output]
    assert any("flats-forest" in html for html in shown)
    printed = "".join(output.get("text", "") for output in outputs)
    assert "no column rooms" in printed
    done = tunegate("history", "--json", cwd=tmp_path)
    assert [entry["promotion"]["model"] for entry in json.loads(done.stdout)] == ["flats"]


def test_the_notebook_of_the_titanic_runs(tmp_path: Path) -> None:
    for name in ("titanic.csv", "titanic.toml", "experiment.yaml"):
        shutil.copy(TITANIC / name, tmp_path)
    # Fewer trees than the file has: the test is about the cells.
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("--n-estimators=200", "--n-estimators=20"))
    notebook = nbformat.read(TITANIC / "titanic.ipynb", as_version=4)
    client = NotebookClient(
        notebook,
        timeout=round(patience(300)),
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output.get("text", "") for output in outputs)
    assert "out-of-bag log loss 0." in printed
    tables = "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)
    assert "Sex" in tables
