"""Fresh processes: equal bytes each time, and serving without the training libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.patience import patience
from support.registry.toy_data import homes

from registry.package import load_package

Write = Callable[..., str]
SERVE = """
import json, sys
from pathlib import Path
from registry.package import load_package
package = load_package(Path(sys.argv[1]))
answer = package.predict(json.loads(sys.argv[2])).tolist()
heavy = sorted({"sklearn", "pandas", "scipy", "joblib", "trainer"} & set(sys.modules))
print(json.dumps({"answer": answer, "heavy": heavy}))
"""


@pytest.fixture
def data(write: Write) -> str:
    return write(homes(), target="price", drop=["note"])


def run_trainer(data: str, output: Path, *, hash_seed: str) -> str:
    command = [
        sys.executable,
        "-m",
        "trainer",
        "--data",
        data,
        "--n-estimators",
        "5",
        "--output",
        str(output),
    ]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "KATIB_TRIAL_NAME": "homes-1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=patience(120), check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_fresh_processes_write_the_same_bytes_and_a_third_serves_them_without_scikit_learn(
    data: str, tmp_path: Path
) -> None:
    one = tmp_path / "one"
    other = tmp_path / "other"
    assert run_trainer(data, one, hash_seed="1") == run_trainer(data, other, hash_seed="2")
    assert {f.name: f.read_bytes() for f in one.iterdir()} == {
        f.name: f.read_bytes() for f in other.iterdir()
    }

    rows = {
        "size": [80.5, 20],
        "age": [None, 3],
        "region": ["north", "atlantis"],
        "garden": [True, False],
    }
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(one), json.dumps(rows)],
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=True,
    )
    served = json.loads(done.stdout)
    assert served == {"answer": load_package(other).predict(rows).tolist(), "heavy": []}
    assert served["answer"][0] != served["answer"][1]
