"""The usual metrics of candidate and champion on the holdout, for people to read.

The gate decides by losses of single rows; the verdict has those.
"""

from collections.abc import Iterator

import numpy as np

from promote.gate_input import Evaluation, holdout_predictions
from registry.metric_names import choose_usual, scores_text
from registry.package import ModelPackage
from trainer.scoring.metrics import usual_values
from tunegate.promotion.candidates import PackageOrError


def holdout_lines(
    data: Evaluation, candidate: PackageOrError, champion: PackageOrError | None
) -> Iterator[str]:
    """Yield a line for each model that can read the holdout: its scores on the rows judged by."""
    fresh = np.ones(len(data.y), dtype=bool)
    if isinstance(champion, ModelPackage):
        fresh = ~champion.knows(data.rows, data.rounded)
    if not fresh.any():
        return
    weight = None if data.weight is None else data.weight[fresh]
    for role, package in (("candidate", candidate), ("champion", champion)):
        if not isinstance(package, ModelPackage):
            continue
        try:
            predicted = holdout_predictions(package, data)[fresh]
            values = usual_values(package.manifest.task, data.y[fresh], predicted, weight)
        except (KeyError, ValueError, TypeError, IndexError):  # the verdict says why
            continue
        found = scores_text(choose_usual(package.manifest.task, values))
        yield f"{role} on the holdout: {found} ({fresh.sum()} rows)"
