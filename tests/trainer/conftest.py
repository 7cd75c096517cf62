"""A table of one's own, and the one TOML file that it needs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.registry.toy_data import homes

from trainer.dataset import Dataset, load_dataset

Write = Callable[..., str]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(120),
            "a": rng.normal(size=120).round(3),
            "b": rng.normal(size=120).round(3),
        }
    )
    return frame.assign(y=(frame["a"] - frame["b"] + rng.normal(0, 0.1, 120)).round(3))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(table: pd.DataFrame | str | bytes, more: str = "", **fields: Any) -> str:  # noqa: ANN401 - TOML values
        content = table.to_csv(index=False) if isinstance(table, pd.DataFrame) else table
        (tmp_path / "table.csv").write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        document = {
            "name": "toy",
            "source": "table.csv",
            "target": "y",
            "task": "regression",
            **fields,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in document.items()]
        (tmp_path / "toy.toml").write_text("\n".join([*lines, more]))
        return str(tmp_path / "toy.toml")

    return write


@pytest.fixture
def houses(write: Write) -> Dataset:
    """Load numbers, booleans, categories and gaps."""
    return load_dataset(write(homes(), target="price", drop=["note"]))


@pytest.fixture(scope="session")
def boston() -> Dataset:
    return load_dataset("boston")
