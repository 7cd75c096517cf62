"""Tables of one's own, written by code and read through the package's front door."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from trainer import DataError, load_spec
from trainer.tables import ReadTable, read_table

Read = Callable[..., ReadTable]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file and a spec, and read it: `more` stands first, where dotted keys belong."""

    def read(
        content: str | bytes | None,
        more: str = "",
        *,
        name: str = "table.csv",
        encoding: str = "utf-8",
        **fields: Any,  # noqa: ANN401 - TOML values
    ) -> ReadTable:
        if content is not None:
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        document = {
            "name": "toy",
            "source": name,
            "target": "price",
            "task": "regression",
            **fields,
        }
        lines = [more, *(f"{key} = {json.dumps(value)}" for key, value in document.items())]
        (tmp_path / "toy.toml").write_text("\n".join(lines))
        return read_table(load_spec(str(tmp_path / "toy.toml")))

    return read


@pytest.fixture
def refusal(read: Read) -> Callable[..., DataError]:
    """Read a table that cannot be read."""

    def refusal(*args: Any, **fields: Any) -> DataError:  # noqa: ANN401 - as of `read`
        with pytest.raises(DataError) as caught:
            read(*args, **fields)
        return caught.value

    return refusal


@pytest.fixture
def column(read: Read) -> Callable[..., ReadTable]:
    """Read a column `size` of these texts next to a target without decimals."""

    def column(cells: Sequence[str], more: str = "", **fields: Any) -> ReadTable:  # noqa: ANN401 - TOML values
        rows = (f'"{cell}"\t{row}' for row, cell in enumerate(cells))
        return read("\n".join(["size\tprice", *rows]) + "\n", more, **fields)

    return column
