"""scikit-optimize, asked as Katib v0.19's service asks it.

Doubles are log-uniform and ints uniform whatever the Experiment says (`master=1`: the distribution
counts, as on Katib's main branch); ten random points, gp_hedge; running trials are not told; one
`ask(n_points=...)` a request.
"""

import warnings
from typing import Any

import numpy as np
import skopt
import wire

warnings.filterwarnings("ignore")  # it warns of each point that it proposes twice


class Skopt:
    """The service's state."""

    def __init__(self, parameters: list[wire.Parameter], message: dict[str, Any]) -> None:
        self.parameters = parameters
        honest = message["settings"].pop("master", None)
        dimensions = [_dimension(p, honest) for p in parameters]
        points = int(message["settings"].pop("n_initial_points", 10))
        self.optimizer = skopt.Optimizer(
            dimensions,
            "GP",
            n_initial_points=points,
            acq_func="gp_hedge",
            random_state=message["seed"],
        )

    def tell(self, told: list[wire.Told]) -> None:
        """Tell all that ended since the last request in one call."""
        points = [
            [_typed(p, assignments[p["name"]]) for p in self.parameters]
            for _, assignments, _ in told
        ]
        self.optimizer.tell(points, [loss for _, _, loss in told])

    def ask(self, count: int) -> list[wire.Assignments]:
        """Ask for all points of a request in one call."""
        found = self.optimizer.ask(n_points=count)
        return [
            {p["name"]: _text(v) for p, v in zip(self.parameters, point, strict=True)}
            for point in found
        ]


def _dimension(p: wire.Parameter, honest: str | None) -> Any:  # noqa: ANN401 - one of three classes
    if p["choices"]:
        return skopt.space.Categorical(p["choices"], name=p["name"])
    log = p["distribution"] == "logUniform" if honest else p["kind"] == "double"
    prior = "log-uniform" if log else "uniform"
    if p["kind"] == "int":
        return skopt.space.Integer(int(p["low"]), int(p["high"]), prior, name=p["name"])
    return skopt.space.Real(p["low"], p["high"], prior, name=p["name"])


def _typed(p: wire.Parameter, text: str) -> str | int | float:
    return text if p["choices"] else int(text) if p["kind"] == "int" else float(text)


def _text(value: object) -> str:
    return str(value.item() if isinstance(value, np.generic) else value)


wire.serve(Skopt)
