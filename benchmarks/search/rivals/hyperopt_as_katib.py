"""hyperopt's TPE, asked as Katib's `tpe` service asks it.

Ints are rounded to their step; random points only for as many trials as one request asks for; all
points of a request have one seed and one history; running trials are not told.
"""

import math
from typing import Any

import hyperopt
import numpy as np
import wire
from hyperopt import hp


class Hyperopt:
    """The service's state."""

    def __init__(self, parameters: list[wire.Parameter], message: dict[str, Any]) -> None:
        self.parameters = parameters
        self.rng = np.random.RandomState(message["seed"])
        self.domain = hyperopt.Domain(
            None, {p["name"]: _space(p) for p in parameters}, pass_expr_memo_ctrl=None
        )
        self.trials = hyperopt.Trials()
        self.fresh = True

    def tell(self, told: list[wire.Told]) -> None:
        """Insert finished trials as documents."""
        for _, assignments, loss in told:
            (tid,) = self.trials.new_trial_ids(1)
            values = {p["name"]: [_number(p, assignments[p["name"]])] for p in self.parameters}
            misc = {"tid": tid, "cmd": self.domain.cmd, "workdir": self.domain.workdir}
            misc |= {"idxs": {name: [tid] for name in values}, "vals": values}
            result = {"loss": loss, "status": hyperopt.STATUS_OK}
            documents = self.trials.new_trial_docs([tid], [None], [result], [misc])
            documents[0]["state"] = hyperopt.JOB_STATE_DONE
            self.trials.insert_trial_docs(documents)
        self.trials.refresh()

    def ask(self, count: int) -> list[wire.Assignments]:
        """Suggest: in one call at first, then a call a point, each with the same seed."""
        ids = self.trials.new_trial_ids(count)
        seed = int(self.rng.randint(2**31 - 1))
        groups = [ids] if self.fresh else [[one] for one in ids]
        self.fresh = False
        documents = []
        for group in groups:
            documents += hyperopt.tpe.suggest(
                group, self.domain, self.trials, seed, n_startup_jobs=count
            )
        return [
            {p["name"]: _text(p, d["misc"]["vals"][p["name"]][0]) for p in self.parameters}
            for d in documents
        ]


def _space(p: wire.Parameter) -> Any:  # noqa: ANN401 - hyperopt's own graph
    if p["choices"]:
        return hp.choice(p["name"], p["choices"])
    log = p["distribution"] == "logUniform"
    ends = [math.log(end) if log else end for end in (p["low"], p["high"])]
    if p["step"]:
        return (hp.qloguniform if log else hp.quniform)(p["name"], *ends, p["step"])
    return (hp.loguniform if log else hp.uniform)(p["name"], *ends)


def _number(p: wire.Parameter, text: str) -> int | float:
    if p["choices"]:
        return p["choices"].index(text)
    return int(text) if p["kind"] == "int" else float(text)


def _text(p: wire.Parameter, value: float) -> str:
    if p["choices"]:
        return p["choices"][int(value)]
    return str(int(value)) if p["kind"] == "int" else repr(float(value))


wire.serve(Hyperopt)
