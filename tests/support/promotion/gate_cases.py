"""Cases for the gate: a data set, packages fitted on it, and short ways to read a verdict."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import Evaluation, GateInput
from promote.verdict import Verdict
from registry.errors import PackageError
from registry.package import Manifest, ModelPackage
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
    return GateCase(data, remembering_evaluation(data), packages[0], packages[1])


def remembering_evaluation(data: Dataset) -> Evaluation:
    """Make the gate's view; a recipe is fitted only once on the same folds."""
    real = make_evaluation(data, cpus=1)
    return replace(real, out_of_fold=_remembering(real.out_of_fold))


def _remembering(
    out_of_fold: Callable[[Manifest, list[int], int], Floats],
) -> Callable[[Manifest, list[int], int], Floats]:
    known: dict[str, Floats] = {}

    def remember(manifest: Manifest, seeds: list[int], folds: int) -> Floats:
        key = repr((sorted(manifest.parameters.items()), manifest.seed, seeds, folds))
        if key not in known:
            known[key] = out_of_fold(manifest, seeds, folds)
        return known[key]

    return remember


def failed_checks(verdict: Verdict) -> set[str]:
    """Return the names of the checks that did not pass."""
    return {check.name for check in verdict.checks if not check.passed}


def check_detail(verdict: Verdict, name: str) -> str:
    """Return what the check of this name says."""
    return next(check.detail for check in verdict.checks if check.name == name)
