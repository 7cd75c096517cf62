"""The lines of the page on frontends, run as they are written.

Their form is the model's, their answer is the package's.
"""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.patience import patience
from support.serving.code_blocks import blocks
from support.serving.servers import await_true

from registry.package import ModelPackage

from .conftest import HERE, ROOT, Peer, Results, Served

ROW = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "HF_HUB_OFFLINE": "1",
}


def lines(number: int, served: Served) -> str:
    """Return the page's Streamlit or Gradio, pointed at the server that the test has started."""
    text = blocks(ROOT / "docs" / "frontends.md", "python")[number]
    assert text.count('"http://127.0.0.1:8000"') == 1
    return text.replace("http://127.0.0.1:8000", served.homes_server.url)


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment, without telemetry or a proxy to this machine."""
    return {**os.environ, **QUIET, "NO_PROXY": "*", **more}


def price(package: ModelPackage, row: dict[str, Any]) -> float:
    return float(package.predict({name: [value] for name, value in row.items()})[0, 0])


def typical(package: ModelPackage) -> dict[str, Any]:
    return {column.name: column.typical for column in package.manifest.columns}


def run(python: Path, script: str, asked: dict[str, Any]) -> Results:
    done = subprocess.run(
        [str(python), str(HERE / script)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=patience(240),
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    found: Results = json.loads(done.stdout.splitlines()[-1])
    for way, answer in found.items():
        assert "result" in answer, f"{way}: {answer['error']}"
    return found


def test_streamlit_shows_the_models_form_and_its_predictions(served: Served, peer: Peer) -> None:
    found = run(peer("streamlit"), "with_streamlit.py", {"page": lines(0, served), "row": ROW})
    first = found["first"]["result"]
    assert first["fields"] == typical(served.homes)
    assert first["choices"] == {"region": ["east", "north", "south"]}
    assert first["answer"]["predicted_price"] == price(served.homes, first["fields"])
    assert found["changed"]["result"]["predicted_price"] == price(served.homes, ROW)


@pytest.fixture
def gradio_page(served: Served, peer: Peer, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "page.py").write_text(lines(1, served))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = environment(
        GRADIO_SERVER_PORT=str(port), GRADIO_SERVER_NAME="127.0.0.1", GRADIO_TEMP_DIR=str(tmp_path)
    )
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [peer("gradio"), "page.py"], cwd=tmp_path, env=settings, stdout=log, stderr=log
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            await_true(
                lambda: process.poll() is not None or is_up(url),
                "Gradio to answer",
                timeout=patience(90),
            )
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield url
        finally:
            process.terminate()


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/config", timeout=5).is_success
    except httpx.TransportError:
        return False


def test_gradio_shows_the_models_form_and_its_predictions(
    served: Served, peer: Peer, gradio_page: str
) -> None:
    found = run(peer("gradio"), "with_gradio.py", {"page": gradio_page, "row": ROW})
    assert found["fields"]["result"] == typical(served.homes)
    assert found["first"]["result"]["predicted_price"] == price(served.homes, typical(served.homes))
    assert found["changed"]["result"]["predicted_price"] == price(served.homes, ROW)
    assert found["missing"]["result"]["predicted_price"] == price(served.homes, ROW | {"age": None})
    assert [error["field"] for error in found["wrong"]["result"]["errors"]] == ["size"]
