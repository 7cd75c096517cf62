"""Print the sha256 of what the locks are compiled from: the dependency tables of pyproject.toml."""

import hashlib
import json
import tomllib
from pathlib import Path


def digest(pyproject: Path) -> str:
    """Return the digest that a current lock names."""
    document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = document["project"]
    inputs = [
        project["requires-python"],
        project["dependencies"],
        project["optional-dependencies"],
        document["dependency-groups"],
    ]
    return "sha256:" + hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    print(digest(Path(__file__).parent.parent / "pyproject.toml"))
