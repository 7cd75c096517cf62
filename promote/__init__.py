"""Candidate against champion: evidence, the gate, and the promotion protocol with its rollback.

Pure where it decides (`evidence`, `gate`, `verdict`), effects where it acts (`promotion`, `smoke`,
`deploy_details`, `history_file`).
"""

from promote.errors import NoCandidate, PromoteError, SmokeFailed
from promote.policy import GatePolicy

__all__ = ["GatePolicy", "NoCandidate", "PromoteError", "SmokeFailed"]
