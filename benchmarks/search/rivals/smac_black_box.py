"""SMAC3's black-box facade (Gaussian process), asked for one point at a time.

It knows of running trials.
"""

import logging
import tempfile
import warnings
from typing import Any

import wire
from ConfigSpace import CategoricalHyperparameter, Configuration, ConfigurationSpace, Float, Integer
from smac import BlackBoxFacade, HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialInfo, TrialValue

warnings.filterwarnings("ignore")
BUDGET = 1000  # of the scenario: no end in sight, as for a service


class Smac:
    """A facade in a folder of its own."""

    def __init__(self, parameters: list[wire.Parameter], message: dict[str, Any]) -> None:
        self.parameters = parameters
        seed = message["seed"]
        self.space = ConfigurationSpace(seed=seed)
        self.space.add([_hyperparameter(p) for p in parameters])
        self.folder = tempfile.TemporaryDirectory(prefix="smac-")
        scenario = Scenario(
            self.space,
            deterministic=True,
            n_trials=BUDGET,
            seed=seed,
            output_directory=self.folder.name,
        )
        forest = message["settings"].get("surrogate") == "forest"
        facade = HyperparameterOptimizationFacade if forest else BlackBoxFacade
        design = facade.get_initial_design(scenario, n_configs=10)
        self.smac = facade(
            scenario, _never, initial_design=design, overwrite=True, logging_level=logging.ERROR
        )
        self.asked: dict[int, TrialInfo] = {}
        self.next = 0

    def tell(self, told: list[wire.Told]) -> None:
        """Tell each by the trial that was asked for; others were asked of nobody."""
        for place, assignments, loss in told:
            self.next = max(self.next, place + 1)
            self.smac.tell(
                self.asked.get(place) or self._foreign(assignments), TrialValue(cost=loss, time=0.0)
            )

    def ask(self, count: int) -> list[wire.Assignments]:
        """Ask one by one."""
        new = [self.smac.ask() for _ in range(count)]
        self.asked |= dict(enumerate(new, start=self.next))
        self.next += count
        return [
            {p["name"]: str(dict(trial.config)[p["name"]]) for p in self.parameters}
            for trial in new
        ]

    def _foreign(self, assignments: wire.Assignments) -> TrialInfo:
        kinds = {
            p["name"]: str if p["choices"] else int if p["kind"] == "int" else float
            for p in self.parameters
        }
        values = {name: kinds[name](text) for name, text in assignments.items()}
        return TrialInfo(Configuration(self.space, values=values), seed=self.smac.scenario.seed)


def _hyperparameter(p: wire.Parameter) -> Any:  # noqa: ANN401 - one of three classes
    if p["choices"]:
        return CategoricalHyperparameter(p["name"], p["choices"])
    log = p["distribution"] == "logUniform"
    if p["kind"] == "int":
        return Integer(p["name"], (int(p["low"]), int(p["high"])), log=log)
    return Float(p["name"], (p["low"], p["high"]), log=log)


def _never(config: object, seed: int = 0) -> float:
    del config, seed
    raise AssertionError("SMAC is asked and told, it runs nothing")


wire.serve(Smac)
