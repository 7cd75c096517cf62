"""Candidate against champion: evidence, the gate, and the promotion protocol with its rollback.

Deciding is pure: `gate`, `checks`, `guards`, `evidence`, `verdict`. Acting is not: `promotion`,
`smoke`, `history_file`, `shadow_client`. The package itself imports only errors and the policy.
"""

from promote.errors import NoCandidate, PromoteError, SmokeFailed
from promote.policy import GatePolicy

__all__ = ["GatePolicy", "NoCandidate", "PromoteError", "SmokeFailed"]
