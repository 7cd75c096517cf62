"""Optuna's own samplers, each kept as one study: TPE, GP, and AutoSampler of OptunaHub."""

import os
import warnings
from typing import Any

import optuna
import wire
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")


class Study:
    """A study and the trials that were asked for, by place; `next` is the place of the next one."""

    def __init__(self, parameters: list[wire.Parameter], message: dict[str, Any]) -> None:
        self.study = optuna.create_study(sampler=_sampler(message["kind"], message["seed"]))
        self.distributions = {p["name"]: _distribution(p) for p in parameters}
        self.asked: dict[int, optuna.Trial] = {}
        self.next = 0
        self.kinds = {
            p["name"]: str if p["choices"] else int if p["kind"] == "int" else float
            for p in parameters
        }
        if first := {name: value for name, value in message["first"].items() if value is not None}:
            self.study.enqueue_trial(
                {name: self.kinds[name](value) for name, value in first.items()}
            )

    def tell(self, told: list[wire.Told]) -> None:
        """Tell each by its trial; others were asked of nobody."""
        for place, assignments, loss in told:
            if place in self.asked:
                self.study.tell(self.asked[place], loss)
            else:
                self.next = max(self.next, place + 1)
                params = {name: self.kinds[name](text) for name, text in assignments.items()}
                distributions = self.distributions
                self.study.add_trial(
                    create_trial(params=params, distributions=distributions, value=loss)
                )

    def ask(self, count: int) -> list[wire.Assignments]:
        """Ask one by one; those not told yet are running trials to the sampler."""
        new = [self.study.ask(self.distributions) for _ in range(count)]
        self.asked |= dict(enumerate(new, start=self.next))
        self.next += count
        return [{name: str(trial.params[name]) for name in self.distributions} for trial in new]


def _sampler(kind: str, seed: int) -> optuna.samplers.BaseSampler:
    if kind == "optuna-gp":
        return optuna.samplers.GPSampler(seed=seed)
    if kind == "optuna-tpe":
        return optuna.samplers.TPESampler(seed=seed)
    import optunahub  # noqa: PLC0415 - only for this one

    registry = os.environ["OPTUNAHUB_REGISTRY"]  # the folder of a copy of optuna/optunahub-registry
    return optunahub.load_local_module(
        "samplers/auto_sampler", registry_root=f"{registry}/package"
    ).AutoSampler(seed=seed)


def _distribution(p: wire.Parameter) -> optuna.distributions.BaseDistribution:
    if p["choices"]:
        return CategoricalDistribution(p["choices"])
    log = p["distribution"] == "logUniform"
    if p["kind"] == "int":
        return IntDistribution(int(p["low"]), int(p["high"]), log=log)
    return FloatDistribution(p["low"], p["high"], log=log)


wire.serve(Study)
