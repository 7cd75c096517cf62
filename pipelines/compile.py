"""Compile the pipelines: python -m pipelines.compile [FOLDER]; by default next to their sources."""

import sys
from pathlib import Path

from kfp.compiler import Compiler

from pipelines.house_prices import house_prices
from pipelines.iris_csv import iris_csv
from pipelines.iris_training import iris_training

PIPELINES = {"house_prices": house_prices, "iris_csv": iris_csv, "iris_training": iris_training}


def main(folder: Path) -> None:
    """Write one YAML file a pipeline."""
    for name, pipeline in PIPELINES.items():
        Compiler().compile(pipeline, str(folder / f"{name}.yaml"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
