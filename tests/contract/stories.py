"""Any story of creations and outcomes, right and wrong ones, told to a ledger of any adapter."""

import itertools
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.registry.ledgers import outcome, promotion

from registry import Conflict, InFlight, Ledger, LedgerError

NUMBERS = itertools.count()  # each story is another model's
numbers = st.integers(1, 5)


class LedgerStory(RuleBasedStateMachine):
    """What was told so far is a list of states; the ledger must have the same, and its digests."""

    def __init__(self, connect: Callable[[], Ledger]) -> None:
        super().__init__()
        self.connect = connect
        self.ledger = connect()
        self.model = f"houses{next(NUMBERS)}"
        self.states: list[str] = []

    @rule(number=numbers)
    def create(self, number: int) -> None:
        expected: type[LedgerError] | None = None
        if number <= len(self.states):
            expected = Conflict
        elif number > len(self.states) + 1:
            expected = LedgerError
        elif "in flight" in self.states:
            expected = InFlight
        self._act(lambda: self.ledger.create(promotion(number, model=self.model)), expected)
        if not expected:
            self.states.append("in flight")

    @rule(ago=st.integers(0, 1), result=st.sampled_from(["live", "reverted"]))
    def close(self, ago: int, result: str) -> None:
        number = len(self.states) - ago
        expected: type[LedgerError] | None = None
        if number < 1:
            expected = LedgerError
        elif self.states[number - 1] != "in flight":
            expected = Conflict
        self._act(lambda: self.ledger.close(self.model, number, outcome(result)), expected)
        if not expected:
            self.states[number - 1] = result

    @rule()
    def come_back(self) -> None:
        self.ledger = self.connect()

    @invariant()
    def what_was_told_is_there_and_verifies(self) -> None:
        entries = self.ledger.chain(self.model).entries
        assert [entry.state for entry in entries] == self.states
        assert [entry.promotion.number for entry in entries] == list(range(1, len(self.states) + 1))

    def _act(self, act: Callable[[], None], expected: type[LedgerError] | None) -> None:
        with pytest.raises(expected) if expected else nullcontext():
            act()
