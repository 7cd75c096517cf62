"""Candidate against champion: evidence, the gate, and the promotion protocol with its way back.

Pure where it decides (`candidate`, `evidence`, `gate`), effects where it acts (`promotion`, `smoke`, `details`).
"""

from promote.candidate import Ranked, rank
from promote.contest import Contest, Evaluation
from promote.details import DeployDetails, deploy_details, rollback_details
from promote.errors import NoCandidate, PromoteError, SmokeFailed
from promote.gate import judge
from promote.policy import GatePolicy
from promote.promotion import Promoter
from promote.smoke import SmokeReport, smoke
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
    "smoke",
]
