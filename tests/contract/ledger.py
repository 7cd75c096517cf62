"""The contract of the ledger port, sentence by sentence; every adapter's tests subclass it."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import pytest
from contract.stories import LedgerStory
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from support.registry.ledgers import NOON, challenge, outcome, promotion

from registry import (
    Conflict,
    Entry,
    InFlight,
    Ledger,
    LedgerError,
    Promotion,
    Unreachable,
    champion,
    in_flight,
)
from registry.chain import closing_digests
from registry.ledger import next_number

Connect = Callable[[], Ledger]
WRITERS = 8
ROUNDS = 5


def advance(ledger: Ledger, *results: str, model: str = "houses") -> Sequence[Entry]:
    """Append one promotion a result, closed with it; "" leaves the last one in flight."""
    for result in results:
        number = next_number(ledger.history(model))
        ledger.create(promotion(number, model=model))
        if result:
            ledger.close(model, number, outcome(result))
    return ledger.history(model)


def at_once(connect: Connect, act: Callable[[Ledger, int], None]) -> Counter[str]:
    """Let each writer act at once, over a connection of its own; count how they ended."""
    barrier = threading.Barrier(WRITERS)

    def run(writer: int) -> str:
        ledger = connect()
        barrier.wait()
        try:
            act(ledger, writer)
        except LedgerError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(WRITERS) as pool:
        return Counter(pool.map(run, range(WRITERS)))


class LedgerContract:
    """Subclass it as `Test...` and supply the fixtures `connect` and `unreachable`."""

    @pytest.fixture
    def connect(self) -> Connect:
        """Return what opens the same, at first empty, backend at each call, from any thread."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> Ledger:
        """Return a ledger whose backend does not answer."""
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, connect: Connect) -> Ledger:
        return connect()

    # Creation is the compare-and-swap.

    def test_of_writers_at_once_exactly_one_creates_a_number(
        self, connect: Connect, ledger: Ledger
    ) -> None:
        for number in range(1, ROUNDS + 1):
            ended = at_once(
                connect, lambda own, writer, n=number: own.create(promotion(n, actor=str(writer)))
            )
            assert ended == {"done": 1, "Conflict": WRITERS - 1}
            ledger.close("houses", number, outcome())
        assert [entry.promotion.number for entry in ledger.history("houses")] == [1, 2, 3, 4, 5]

    def test_what_the_winner_wrote_stays_and_what_the_losers_wrote_does_not(
        self, ledger: Ledger
    ) -> None:
        ledger.create(promotion(1, actor="winner"))
        with pytest.raises(Conflict):
            ledger.create(promotion(1, actor="loser"))
        assert [entry.promotion.actor for entry in ledger.history("houses")] == ["winner"]

    @pytest.mark.parametrize("state", ["", "live", "reverted"])
    def test_a_number_that_exists_is_a_conflict_whatever_its_state(
        self, ledger: Ledger, state: str
    ) -> None:
        before = advance(ledger, "live", state)
        for number in (1, 2):
            with pytest.raises(Conflict):
                ledger.create(promotion(number))
        assert ledger.history("houses") == before

    # Numbers rise.

    @pytest.mark.parametrize("number", [2, 3, 1000])
    def test_the_first_number_is_one(self, ledger: Ledger, number: int) -> None:
        with pytest.raises(LedgerError) as refused:
            ledger.create(promotion(number))
        assert not isinstance(refused.value, Unreachable)
        assert list(ledger.history("houses")) == []
        ledger.create(promotion(1))

    @pytest.mark.parametrize("number", [4, 5, 1000])
    def test_no_number_is_left_out(self, ledger: Ledger, number: int) -> None:
        before = advance(ledger, "live", "reverted")
        with pytest.raises(LedgerError) as refused:
            ledger.create(promotion(number))
        assert not isinstance(refused.value, Unreachable)
        assert ledger.history("houses") == before

    def test_each_model_counts_for_itself(self, ledger: Ledger) -> None:
        advance(ledger, "live", "live", "", model="houses")
        advance(ledger, "reverted", model="iris")
        assert [entry.state for entry in ledger.history("houses")] == ["live", "live", "in flight"]
        assert [entry.state for entry in ledger.history("iris")] == ["reverted"]
        assert list(ledger.history("wine")) == []

    # One in flight.

    def test_the_successor_of_a_promotion_without_outcome_is_refused(self, ledger: Ledger) -> None:
        before = advance(ledger, "live", "")
        with pytest.raises(InFlight):
            ledger.create(promotion(3))
        assert ledger.history("houses") == before

    @pytest.mark.parametrize("result", ["live", "reverted"])
    def test_once_it_is_closed_its_successor_may_be_created(
        self, ledger: Ledger, result: str
    ) -> None:
        advance(ledger, result)
        ledger.create(promotion(2))
        assert in_flight(ledger.history("houses")) == Entry(promotion=promotion(2))

    def test_anybody_may_close_it(self, connect: Connect) -> None:
        connect().create(promotion(1, owner="host:1"))
        connect().close("houses", 1, outcome("reverted", note="taken over"))
        assert connect().history("houses")[0].state == "reverted"

    def test_the_lease_is_for_those_who_close_and_does_not_open_the_next_number(
        self, ledger: Ledger
    ) -> None:
        ledger.create(promotion(1, lease=1, created_at=NOON - timedelta(days=365)))
        with pytest.raises(InFlight):
            ledger.create(promotion(2))

    # One outcome.

    @pytest.mark.parametrize("first", ["live", "reverted"])
    @pytest.mark.parametrize("second", ["live", "reverted"])
    def test_a_second_outcome_is_a_conflict_also_when_it_says_the_same(
        self, ledger: Ledger, first: str, second: str
    ) -> None:
        before = advance(ledger, first)
        with pytest.raises(Conflict):
            ledger.close("houses", 1, outcome(second))
        assert ledger.history("houses") == before

    def test_of_writers_at_once_exactly_one_closes(self, connect: Connect, ledger: Ledger) -> None:
        for number in range(1, ROUNDS + 1):
            ledger.create(promotion(number))
            results = ["live", "reverted"] * (WRITERS // 2)
            ended = at_once(
                connect, lambda own, i, n=number, r=results: own.close("houses", n, outcome(r[i]))
            )
            assert ended == {"done": 1, "Conflict": WRITERS - 1}

    @pytest.mark.parametrize("number", [0, 2, 3])
    def test_a_number_that_does_not_exist_cannot_be_closed(
        self, ledger: Ledger, number: int
    ) -> None:
        before = advance(ledger, "live")
        with pytest.raises(LedgerError) as refused:
            ledger.close("houses", number, outcome())
        assert not isinstance(refused.value, Conflict | Unreachable)
        assert ledger.history("houses") == before

    def test_closing_is_for_the_model_that_is_named(self, ledger: Ledger) -> None:
        ledger.create(promotion(1))
        with pytest.raises(LedgerError):
            ledger.close("iris", 1, outcome())
        assert ledger.history("houses")[0].state == "in flight"

    # Nothing changes, nothing goes.

    def test_the_history_only_grows_at_its_end(self, ledger: Ledger) -> None:
        before: list[Entry] = []
        for result in ("live", "reverted", "live", "live", "reverted"):
            after = list(advance(ledger, result))
            assert after[:-1] == before
            before = after

    def test_there_is_no_way_to_change_or_delete(self, ledger: Ledger) -> None:
        public = [name for name in dir(type(ledger)) if not name.startswith("_")]
        verbs = ("update", "delete", "remove", "drop", "reopen", "set", "edit", "replace", "clear")
        assert [name for name in public if name.startswith(verbs)] == []

    def test_a_rollback_is_one_more_promotion(self, ledger: Ledger) -> None:
        before = advance(ledger, "live", "live")
        ledger.create(promotion(3, kind="rollback", sha256=promotion(1).sha256, previous=2))
        ledger.close("houses", 3, outcome())
        history = ledger.history("houses")
        assert list(history[:2]) == list(before)
        current = champion(history)
        assert current
        assert (current.promotion.number, current.promotion.sha256) == (3, promotion(1).sha256)

    # Read your writes.

    def test_every_reader_sees_what_create_and_close_have_returned(self, connect: Connect) -> None:
        writer = connect()
        reader = connect()
        assert list(reader.history("houses")) == []
        writer.create(promotion(1))
        assert (
            list(reader.history("houses"))
            == list(connect().history("houses"))
            == [Entry(promotion=promotion(1))]
        )
        writer.close("houses", 1, outcome())
        closed = Entry(promotion=promotion(1), outcome=outcome())
        assert list(reader.history("houses")) == list(connect().history("houses")) == [closed]

    def test_what_is_read_is_what_was_written(self, ledger: Ledger) -> None:
        written = Promotion(
            model="houses",
            number=1,
            sha256="0123456789abcdef" * 4,
            kind="first",
            experiment="houses-1",
            trial="houses-1-abc",
            fingerprint="f" * 64,
            verdict="e" * 64,
            reasons=("better by 10 %", 'of "evidence"\n', "", "größer, 大きい"),
            metric="mse",
            score=0.1 + 0.2,
            git_commit="c0ffee",
            actor="CI <ci@example.org>",
            owner="host:1234",
            created_at=NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
            + timedelta(microseconds=1),
            lease=60,
        )
        ended = outcome(
            "reverted", note="p99 of 812 ms; 'late'", closed_at=NOON + timedelta(microseconds=999)
        )
        ledger.create(written)
        ledger.close("houses", 1, ended)
        assert list(ledger.history("houses")) == [Entry(promotion=written, outcome=ended)]

    # Nothing changes unseen.

    def test_each_record_carries_the_digest_of_all_before_it(self, ledger: Ledger) -> None:
        heads = set()
        for results in (["live"], ["reverted", ""]):
            entries = advance(ledger, *results)
            chain = ledger.chain("houses")
            assert list(chain.entries) == list(entries)
            assert chain.begins == 1
            assert chain.head == closing_digests(entries)[-1]
            heads.add(chain.head)
        assert len(heads) == 2

    # Challenges are a list of their own.

    def test_what_was_recorded_of_a_challenge_is_read_by_everybody(
        self, connect: Connect, ledger: Ledger
    ) -> None:
        full = challenge(
            2,
            decision="refuse",
            sha256="0123456789abcdef" * 4,
            champion=7,
            experiment="houses-1",
            trial="houses-1-abc",
            fingerprint="f" * 64,
            reasons=('"größer"\n', ""),
            actor="CI <ci@example.org>",
            decided_at=NOON + timedelta(microseconds=1),
        )
        assert list(ledger.challenges("houses")) == []
        ledger.record(challenge(1))
        assert list(connect().challenges("houses")) == [challenge(1)]
        connect().record(full)
        assert list(ledger.challenges("houses")) == [challenge(1), full]
        assert list(ledger.challenges("iris")) == []

    def test_challenges_change_nothing_for_promotions(self, ledger: Ledger) -> None:
        ledger.record(challenge(1, decision="refuse"))  # before the first promotion
        assert list(ledger.history("houses")) == []
        before = list(advance(ledger, "live", ""))
        head = ledger.chain("houses").head
        ledger.record(challenge(2))
        assert list(ledger.history("houses")) == before
        assert ledger.chain("houses").head == head
        ledger.close("houses", 2, outcome())
        advance(ledger, "live")
        assert [entry.state for entry in ledger.history("houses")] == ["live"] * 3
        assert [each.number for each in ledger.challenges("houses")] == [1, 2]

    def test_challenges_are_numbered_without_gaps_and_each_number_once(
        self, ledger: Ledger
    ) -> None:
        ledger.record(challenge(1))
        with pytest.raises(Conflict):
            ledger.record(challenge(1, actor="another"))
        with pytest.raises(LedgerError) as refused:
            ledger.record(challenge(3))
        assert not isinstance(refused.value, Conflict | Unreachable)
        assert list(ledger.challenges("houses")) == [challenge(1)]

    def test_of_writers_at_once_exactly_one_records_a_challenge(
        self, connect: Connect, ledger: Ledger
    ) -> None:
        ended = at_once(connect, lambda own, writer: own.record(challenge(1, actor=str(writer))))
        assert ended == {"done": 1, "Conflict": WRITERS - 1}
        assert len(ledger.challenges("houses")) == 1

    def test_any_story_leaves_the_history_that_was_told(self, connect: Connect) -> None:
        run_state_machine_as_test(  # type: ignore[no-untyped-call] # hypothesis has no type for it
            lambda: LedgerStory(connect), settings=settings(max_examples=4, stateful_step_count=12)
        )

    # Order comes from the numbers alone.

    def test_a_clock_that_goes_backwards_changes_nothing(self, ledger: Ledger) -> None:
        for number in (1, 2, 3):
            at = NOON - timedelta(days=number)
            ledger.create(promotion(number, created_at=at))
            ledger.close("houses", number, outcome(closed_at=at - timedelta(days=1)))
        history = ledger.history("houses")
        assert [entry.promotion.number for entry in history] == [1, 2, 3]
        assert champion(history) == history[-1]

    def test_ten_comes_after_nine(self, ledger: Ledger) -> None:
        assert [entry.promotion.number for entry in advance(ledger, *["live"] * 11)] == list(
            range(1, 12)
        )

    # A backend that does not answer.

    def test_a_backend_that_does_not_answer_is_unreachable(self, unreachable: Ledger) -> None:
        with pytest.raises(Unreachable):
            unreachable.history("houses")
        with pytest.raises(Unreachable):
            unreachable.create(promotion())
        with pytest.raises(Unreachable) as refused:
            unreachable.close("houses", 1, outcome())
        assert refused.value.hint
        with pytest.raises(Unreachable):
            unreachable.challenges("houses")
        with pytest.raises(Unreachable):
            unreachable.record(challenge())
