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
    from promote.finalists import Contender, score_finalists
    from promote.gate import judge
    from promote.policy import GatePolicy
    from promote.promotion import Promoter
    from promote.smoke_report import SmokeReport
    from promote.verdict import Check, Finalist, Verdict, best_finalist

__all__ = [
    "Check",
    "Contender",
    "Contest",
    "DeployDetails",
    "Evaluation",
    "Finalist",
    "GatePolicy",
    "NoCandidate",
    "PromoteError",
    "Promoter",
    "Ranked",
    "SmokeFailed",
    "SmokeReport",
    "Verdict",
    "best_finalist",
    "deploy_details",
    "judge",
    "rank",
    "rollback_details",
    "score_finalists",
]
HOMES = {
    "candidate": ("Ranked", "rank"),
    "contest": ("Contest", "Evaluation"),
    "details": ("DeployDetails", "deploy_details", "rollback_details"),
    "errors": ("NoCandidate", "PromoteError", "SmokeFailed"),
    "finalists": ("Contender", "score_finalists"),
    "gate": ("judge",),
    "policy": ("GatePolicy",),
    "promotion": ("Promoter",),
    "smoke_report": ("SmokeReport",),
    "verdict": ("Check", "Finalist", "Verdict", "best_finalist"),
}

if not TYPE_CHECKING:  # a type checker would take any name for granted

    def __getattr__(name: str) -> object:
        for module, names in HOMES.items():
            if name in names:
                return getattr(import_module(f"promote.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
