"""Two promoters on one ledger, each of which may crash at any moment, against a plain list."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.registry.ledgers import outcome, promotion

from registry import Conflict, Entry, InFlight, LedgerError, champion, in_flight
from registry.ledger import next_number
from registry.sqlite import SqliteLedger

MODELS = st.sampled_from(["houses", "iris"])
PROMOTERS = st.sampled_from([0, 1])
RESULTS = st.sampled_from(["live", "reverted"])


class PromoterCrash(BaseException):
    """The process is gone; nothing in the code may catch it."""


class CrashingLedger(SqliteLedger):
    """Dies after the row was written and before it is committed."""

    def _insert_record(self, *arguments: object) -> None:
        super()._insert_record(*arguments)
        raise PromoterCrash


class TwoPromoters(RuleBasedStateMachine):
    """`truth` is what the ledger must have; `known` is what each promoter read last."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.db"
        self.ledgers = [SqliteLedger(self.path), SqliteLedger(self.path)]
        self.truth: dict[str, list[Entry]] = {"houses": [], "iris": []}
        self.known: list[dict[str, Sequence[Entry]]] = [{}, {}]

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(promoter=PROMOTERS, model=MODELS)
    def read(self, promoter: int, model: str) -> None:
        self.known[promoter][model] = self.ledgers[promoter].history(model)
        assert list(self.known[promoter][model]) == self.truth[model]

    @rule(promoter=PROMOTERS, model=MODELS)
    def create(self, promoter: int, model: str) -> None:
        """Create the number that seems to be next to this promoter."""
        entry = self._next(promoter, model)
        if (refusal := self._refusal(model, entry.promotion.number)) is None:
            self.ledgers[promoter].create(entry.promotion)
            self.truth[model].append(entry)
        else:
            with pytest.raises(refusal):
                self.ledgers[promoter].create(entry.promotion)

    @rule(promoter=PROMOTERS, model=MODELS, result=RESULTS)
    def close(self, promoter: int, model: str, result: str) -> None:
        """Close the newest entry that this promoter knows."""
        number = len(self.known[promoter].get(model, ())) or 1
        truth = self.truth[model]
        ended = outcome(result, note=f"by promoter {promoter}")
        if number > len(truth):
            with pytest.raises(LedgerError, match="does not exist"):
                self.ledgers[promoter].close(model, number, ended)
        elif truth[number - 1].outcome:
            with pytest.raises(Conflict):
                self.ledgers[promoter].close(model, number, ended)
        else:
            self.ledgers[promoter].close(model, number, ended)
            truth[number - 1] = Entry(promotion=truth[number - 1].promotion, outcome=ended)

    @rule(promoter=PROMOTERS, model=MODELS)
    def crash_while_creating(self, promoter: int, model: str) -> None:
        with suppress(PromoterCrash, Conflict, InFlight):
            CrashingLedger(self.path).create(self._next(promoter, model).promotion)
        self.known[promoter] = {}

    @rule(promoter=PROMOTERS, model=MODELS, result=RESULTS)
    def crash_while_closing(self, promoter: int, model: str, result: str) -> None:
        with suppress(PromoterCrash, LedgerError):
            CrashingLedger(self.path).close(model, len(self.truth[model]) or 1, outcome(result))
        self.known[promoter] = {}

    @precondition(lambda self: any(in_flight(history) for history in self.truth.values()))
    @rule(promoter=PROMOTERS, result=RESULTS)
    def repair(self, promoter: int, result: str) -> None:
        """Read, and close what somebody left in flight."""
        model = next(name for name, history in self.truth.items() if in_flight(history))
        self.read(promoter, model)
        self.close(promoter, model, result)

    @invariant()
    def the_ledger_holds_the_truth(self) -> None:
        for model, truth in self.truth.items():
            history = SqliteLedger(self.path).history(model)
            assert list(history) == truth
            assert [entry.promotion.number for entry in history] == list(range(1, len(history) + 1))
            assert all(entry.outcome for entry in history[:-1])
            live = [entry for entry in truth if entry.outcome and entry.outcome.result == "live"]
            assert champion(history) == (live[-1] if live else None)

    def _next(self, promoter: int, model: str) -> Entry:
        number = next_number(self.known[promoter].get(model, ()))
        return Entry(promotion=promotion(number, model=model, actor=f"promoter {promoter}"))

    def _refusal(self, model: str, number: int) -> type[LedgerError] | None:
        if number <= len(self.truth[model]):
            return Conflict
        return InFlight if in_flight(self.truth[model]) else None


TestTwoPromoters = TwoPromoters.TestCase
TestTwoPromoters.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
