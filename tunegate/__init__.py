"""The command line, the Python API and the settings: the only room that knows all the others.

import tunegate as tg

study = tg.tune("houses.csv", target="price", trials=20)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from katib.errors import EngineError, InvalidExperiment, KatibError
    from katib.experiment import Experiment
    from promote.errors import NoCandidate, PromoteError, SmokeFailed
    from promote.verdict import Verdict
    from registry.errors import Conflict, InFlight, PackageError, RegistryError
    from trainer.errors import DataError, TrainerError
    from trainer.spec import DataSetSpec
    from tunegate.errors import UsageError
    from tunegate.prediction.evaluation import TableEvaluation
    from tunegate.promotion.decision import Decision
    from tunegate.study.model import Model, load
    from tunegate.study.outside import judge_evidence, write_gate_folds
    from tunegate.study.packaging import package
    from tunegate.study.production import Server, history, serve
    from tunegate.study.study import BestTrial, Study
    from tunegate.study.tuning import tune

__all__ = [
    "BestTrial",
    "Conflict",
    "DataError",
    "DataSetSpec",
    "Decision",
    "EngineError",
    "Experiment",
    "InFlight",
    "InvalidExperiment",
    "KatibError",
    "Model",
    "NoCandidate",
    "PackageError",
    "PromoteError",
    "RegistryError",
    "Server",
    "SmokeFailed",
    "Study",
    "TableEvaluation",
    "TrainerError",
    "UsageError",
    "Verdict",
    "history",
    "judge_evidence",
    "load",
    "package",
    "serve",
    "tune",
    "write_gate_folds",
]

# Each is imported when it is first used: together they take seconds, and no command needs all.
_MODULES = {
    "tunegate.study.tuning": ("tune",),
    "tunegate.study.study": ("BestTrial", "Study"),
    "tunegate.study.model": ("Model", "load"),
    "tunegate.study.outside": ("judge_evidence", "write_gate_folds"),
    "tunegate.study.packaging": ("package",),
    "tunegate.study.production": ("Server", "history", "serve"),
    "tunegate.promotion.decision": ("Decision",),
    "tunegate.errors": ("UsageError",),
    "tunegate.prediction.evaluation": ("TableEvaluation",),
    "promote.verdict": ("Verdict",),
    "promote.errors": ("NoCandidate", "PromoteError", "SmokeFailed"),
    "katib.experiment": ("Experiment",),
    "katib.errors": ("EngineError", "InvalidExperiment", "KatibError"),
    "registry.errors": ("Conflict", "InFlight", "PackageError", "RegistryError"),
    "trainer.errors": ("DataError", "TrainerError"),
    "trainer.spec": ("DataSetSpec",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a name of the API when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the API's names, for completion."""
    return [*globals(), *__all__]
