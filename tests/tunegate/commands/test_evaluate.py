"""`tunegate evaluate`: what it prints."""

import json
from pathlib import Path

from support.cli import tunegate
from support.registry import toy_data


def test_it_scores_what_is_fresh_apart_and_says_so(tmp_path: Path) -> None:
    data = toy_data.dataset(tmp_path / "data", toy_data.homes())
    package = toy_data.package(data, tmp_path / "package", toy_data.GOOD)
    trained = len(data.training.y)
    done = tunegate(
        "evaluate", tmp_path / "data" / "table.csv", "--package", package.path, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert f"{trained} of 240 rows were trained on: their scores flatter the model" in done.stderr
    assert f"{240 - trained} fresh rows" in done.stderr
    document = json.loads(done.stdout)
    assert document["package"] == package.digest
    assert document["fresh"]["rows"] == 240 - trained
    assert document["fresh"]["scores"]["mse"] > document["scores"]["mse"]
