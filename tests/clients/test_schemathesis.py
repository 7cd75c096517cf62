"""The OpenAPI document says what the server does: schemathesis asks, with all of its checks."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.patience import patience
from support.serving.servers import put, running

from registry import ModelStore
from registry.package import load_package

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "registry" / "package" / "formats" / "1"
SECONDS = 12
LEAST = 100  # requests


def test_every_answer_is_as_the_document_says(
    tmp_path: Path,
    peer: Callable[[str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    python = peer("schemathesis")
    store = ModelStore(tmp_path / "store")
    for name in ("homes", "iris"):
        put(store, load_package(PACKAGES / name))
    key = tmp_path / "key"
    key.write_text("a-key")
    with running(store, "homes", also=["iris"], api_key=str(key), root_path="/prices") as server:
        done = subprocess.run(
            [
                str(python.parent / "schemathesis"),
                *("--config-file", str(HERE / "schemathesis.toml")),
                *("run", f"{server.url}/prices/openapi.json", "--url", f"{server.url}/prices"),
                *("--continue-on-failure", "--no-color"),
                *("--header", "X-API-Key: a-key"),
                *(
                    "--seed",
                    "0",
                    "--max-examples",
                    "20",
                    "--max-time",
                    str(round(patience(SECONDS))),
                ),
                *("--phases", "examples,coverage,fuzzing"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=patience(120),
            check=False,
        )
        assert "Traceback" not in server.log_text()
    assert done.returncode == 0, done.stdout[-20_000:]
    found = re.search(r"(\d+) generated", done.stdout)
    assert found, done.stdout
    assert int(found[1]) > LEAST, "too few to say anything"
    record_property("figure", f"{found[1]} requests, none answered otherwise")
