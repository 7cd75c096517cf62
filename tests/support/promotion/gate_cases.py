"""Cases for the gate: a data set, packages fitted on it, and short ways to read a verdict."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import Evaluation, GateInput
from promote.verdict import Verdict
from registry.errors import PackageError
from registry.package import ModelPackage
from support.registry import toy_data as toy
from trainer.dataset import Dataset
from tunegate.promotion.evaluation import make_evaluation

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GateCase:
    """A data set, the gate's view of it, a good model and a poor one."""

    data: Dataset
    view: Evaluation
    good: ModelPackage
    poor: ModelPackage

    def judge(
        self,
        candidate: ModelPackage | PackageError,
        champion: ModelPackage | PackageError | None,
        **policy: Any,  # noqa: ANN401 - fields of several types
    ) -> Verdict:
        """Judge on this data."""
        return judge(GateInput(candidate, champion, self.view), GatePolicy(**policy))


def make_gate_case(
    folder: Path, data: Dataset, good: dict[str, Any], poor: dict[str, Any]
) -> GateCase:
    """Fit both recipes; the trials' names are the data set's with `-good` and `-poor`."""
    packages = [
        toy.package(data, folder / f"{data.spec.name}-{name}", recipe)
        for name, recipe in (("good", good), ("poor", poor))
    ]
    return GateCase(data, make_evaluation(data, cpus=1), packages[0], packages[1])


def failed_checks(verdict: Verdict) -> set[str]:
    """Return the names of the checks that did not pass."""
    return {check.name for check in verdict.checks if not check.passed}


def check_detail(verdict: Verdict, name: str) -> str:
    """Return what the check of this name says."""
    return next(check.detail for check in verdict.checks if check.name == name)
