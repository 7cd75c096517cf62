"""Candidate against champion: evidence, the gate, and the promotion protocol with its way back.

Pure where it decides (`candidate`, `evidence`, `gate`), effects where it acts (`promotion`, `smoke`, `details`). What
is exported is imported when it is asked for: a server reads its settings, the gate's policy among them, without numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promote.candidate import Ranked, rank
    from promote.contest import Contest, Evaluation
    from promote.details import DeployDetails, deploy_details, rollback_details
    from promote.errors import NoCandidate, PromoteError, SmokeFailed
    from promote.gate import judge
    from promote.policy import GatePolicy
    from promote.promotion import Promoter
    from promote.smoke_report import SmokeReport
    from promote.verdict import Check, Verdict

__all__ = [
    "Check",
    "Contest",
    "DeployDetails",
    "Evaluation",
    "GatePolicy",
    "NoCandidate",
    "PromoteError",
    "Promoter",
    "Ranked",
    "SmokeFailed",
    "SmokeReport",
    "Verdict",
    "deploy_details",
    "judge",
    "rank",
    "rollback_details",
]
HOMES = {
    "candidate": ("Ranked", "rank"),
    "contest": ("Contest", "Evaluation"),
    "details": ("DeployDetails", "deploy_details", "rollback_details"),
    "errors": ("NoCandidate", "PromoteError", "SmokeFailed"),
    "gate": ("judge",),
    "policy": ("GatePolicy",),
    "promotion": ("Promoter",),
    "smoke_report": ("SmokeReport",),
    "verdict": ("Check", "Verdict"),
}

if not TYPE_CHECKING:  # a type checker would take any name for granted

    def __getattr__(name: str) -> object:
        for module, names in HOMES.items():
            if name in names:
                return getattr(import_module(f"promote.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
