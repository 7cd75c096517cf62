"""Judges and promotes candidates: the one way, for a study and for the commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from promote import GatePolicy
from promote.verdict import Verdict
from tunegate.promotion.candidates import Contenders, find_contenders, workspace_of_candidate
from tunegate.promotion.decision import (
    Decision,
    count_look,
    decide_promotion,
    given_approval,
    judge_candidate,
)
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Candidacy:
    """Packages that contend for production.

    Attributes:
        workspace: its settings name the data that they learned from.
        contenders: the packages, best first.
    """

    workspace: Workspace
    contenders: Contenders

    @classmethod
    def find(
        cls,
        workspace: Workspace,
        *,
        trial: str | None = None,
        package: Path | None = None,
        run: Path | None = None,
    ) -> Self:
        """Find the contenders: a trial's package, one in a folder, or the best trials of a run.

        Args:
            workspace: where to look.
            trial: the only contender, by the trial's name.
            package: the only contender, by its folder.
            run: whose best trials contend if neither was named; by default the newest run.

        Raises:
            NoCandidate: when the run has no trial that could be one.
            UsageError: when there is no such trial.
        """
        opened = workspace_of_candidate(workspace, trial=trial, package=package, run=run)
        return cls(opened, find_contenders(opened, trial=trial, package=package, run=run))

    def judge(self) -> Verdict:
        """Judge the best of them against what is in production; nothing there changes.

        Who sees the verdict has seen what the holdout says, so the ledger counts it as a challenge.

        Raises:
            UsageError: when one of them is of another model.
        """
        settings = self.workspace.settings
        before = self.workspace.champion()
        found = judge_candidate(self.workspace, self.contenders, settings.gate, url=settings.url)
        count_look(self.workspace, found, before)
        return found.verdict

    def promote(self, policy: GatePolicy | None = None, *, url: str = "") -> Decision:
        """Judge the best of them and, where the gate says so, bring it into production.

        Args:
            policy: the gate's; by default the settings'.
            url: a running server to smoke-test; by default the settings', or none.

        Raises:
            SmokeFailed: when the server did not answer as it should; the promotion was reverted.
            Conflict, InFlight: when another promotion was faster.
        """
        settings = self.workspace.settings
        policy = policy or settings.gate
        url = url or settings.url
        approval = given_approval(self.workspace)
        return decide_promotion(self.workspace, self.contenders, policy, url=url, approval=approval)
