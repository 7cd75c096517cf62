"""The ledger port on a Kubeflow Model Registry.

Promotion N of a model is the ServeModel `promotion-000N` below its InferenceService; its outcome is
the ServeModel `promotion-000N.outcome`. The server lets each name exist once, and never changes or
deletes a ServeModel. So the server itself guarantees the contract's compare-and-swap, its single
outcome and that it is append-only. Challenge N is the ServeModel `challenge-000N` of the version
that it challenged. (Two names, `.live` and `.reverted`, would not exclude each
other.)

A name that is taken but not listed (see `records`) is abandoned after a time in which its writer
must have stopped waiting. Each writer reads back what it wrote, so a writer whose record appears
late learns that it lost.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from registry.chain import StoredChallenge, challenges_head, check_chain, check_challenges, link
from registry.errors import Conflict, DamagedLedger, LedgerError
from registry.kubeflow.client import RegistryClient
from registry.kubeflow.objects import RegistryObjects
from registry.kubeflow.records import (
    Records,
    ServeRecord,
    current_records,
    ledger_entries,
    stored_challenges,
    stored_entries,
)
from registry.ledger import (
    Chain,
    Challenge,
    Entry,
    Outcome,
    Promotion,
    challenge_taken,
    champion,
    check_next,
    check_next_challenge,
    number_taken,
)

T = TypeVar("T")
GRACE = 3.0  # times the read timeout: so long, the writer of a taken name may still be writing
POLL = 0.25  # seconds between two looks at such a name


READINGS = 3  # of records that do not agree


@dataclass(frozen=True, slots=True)
class _ReadChain:
    service: str | None
    records: Records
    chain: Chain


class KubeflowLedger:
    """Ledger port on a Model Registry server; safe for many processes at once.

    Args:
        client: the server.
        store_uri: address of the model store, for the artifacts that people see.
        environment: the ServingEnvironment whose ledger it is.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        client: RegistryClient,
        *,
        store_uri: str,
        environment: str = "production",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.store_uri = store_uri
        self.environment = environment
        self.clock = clock

    @property
    def sunset(self) -> str:
        """When the server stops to serve what this asks for, after an answer; empty if unknown."""
        return self.client.sunset

    def history(self, model: str) -> Sequence[Entry]:
        """All entries of a model, oldest first."""
        return list(self.chain(model).entries)

    def chain(self, model: str) -> Chain:
        """The same entries, and how far digests vouch for them."""
        return self._read_chain(model).chain

    def create(self, promotion: Promotion) -> None:
        """Append a promotion; see the port's contract."""
        # Between two writers that both pass this check, the server decides.
        before = self.chain(promotion.model)
        check_next(promotion, before.entries)
        version, service = self._with_objects(lambda objects: objects.ensure(promotion))
        digest = link(before.head, promotion)
        self._write_record(service, ServeRecord.opening(promotion, version, digest))
        written = _find_entry(self.history(promotion.model), promotion.number)
        if written is None or written.promotion != promotion:
            raise number_taken(promotion)

    def close(self, model: str, number: int, outcome: Outcome) -> None:
        """Record an outcome; see the port's contract."""
        before = self._read_chain(model)
        service = before.service
        entry = _find_entry(before.chain.entries, number)
        if entry is None or service is None:
            raise LedgerError(f"promotion {number} of {model} does not exist")
        if entry.outcome:
            raise Conflict(f"promotion {number} of {model} is {entry.state} already")
        version = before.records[number, ""].model_version_id
        digest = link(before.chain.head, outcome)
        self._write_record(service, ServeRecord.closing(number, outcome, version, digest))
        _, records = self._read_records(model)
        written = _find_entry(ledger_entries(records), number)
        if written is None or written.outcome != outcome:
            raise Conflict(f"promotion {number} of {model} was closed by somebody else")
        self._show_champion(service, records)

    def challenges(self, model: str) -> Sequence[Challenge]:
        """All decisions about a model, oldest first."""
        return _read_again(lambda: check_challenges(model, self._read_challenges(model)))

    def record(self, challenge: Challenge) -> None:
        """Append a decision; see the port's contract."""
        model = challenge.model
        before = self.challenges(model)
        check_next_challenge(challenge, before)
        version, service = self._with_objects(lambda objects: objects.ensure_challenged(model))
        digest = link(challenges_head(before), challenge)
        self._write_record(service, ServeRecord.judging(challenge, version, digest))
        if challenge not in self.challenges(model):
            raise challenge_taken(challenge)

    def _read_challenges(self, model: str) -> list[StoredChallenge]:
        async def read(objects: RegistryObjects) -> list[StoredChallenge]:
            service = await objects.service(model)
            return stored_challenges(await objects.records(service)) if service else []

        return self._with_objects(read)

    def _show_champion(self, service: str, records: Records) -> None:
        """Show people the champion at the InferenceService; the ledger does not need it."""
        current = champion(ledger_entries(records))
        if current:
            version = records[current.promotion.number, ""].model_version_id
            with suppress(LedgerError):
                self._with_objects(lambda objects: objects.deploy(service, version))

    def _read_chain(self, model: str) -> _ReadChain:
        """Read the records, and verify them."""
        return _read_again(lambda: self._verify_records(model))

    def _verify_records(self, model: str) -> _ReadChain:
        service, records = self._read_records(model)
        return _ReadChain(service, records, check_chain(model, stored_entries(records)))

    def _read_records(self, model: str) -> tuple[str | None, Records]:
        async def read(objects: RegistryObjects) -> tuple[str | None, Records]:
            service = await objects.service(model)
            return service, current_records(await objects.records(service)) if service else {}

        return self._with_objects(read)

    def _write_record(self, service: str, record: ServeRecord) -> None:
        """Create a record under the first of its names that is not abandoned.

        Raises:
            Conflict: when it exists.
            LedgerError: when all its names are abandoned.
        """
        if any(self._try_name(service, name, record) for name in record.names()):
            return
        raise LedgerError(
            f"the registry neither accepts nor lists {record.name}, nor any name used instead",
            hint="check its log and its database",
        )

    def _try_name(self, service: str, name: str, record: ServeRecord) -> bool:
        """Create a record under a name; return False if that name is abandoned."""
        try:
            self._with_objects(lambda objects: objects.write(service, name, record))
        except Conflict:
            if self._is_listed(service, name):
                raise
            return False
        return True

    def _is_listed(self, service: str, name: str) -> bool:
        """Whether a taken name is listed, at once or before its writer must have stopped."""
        deadline = self.clock() + GRACE * self.client.timeouts.read
        while True:
            if any(
                item.name == name
                for item in self._with_objects(lambda objects: objects.records(service))
            ):
                return True
            if self.clock() >= deadline:
                return False
            time.sleep(POLL)  # between two looks at the condition

    def _with_objects(self, work: Callable[[RegistryObjects], Awaitable[T]]) -> T:
        return self.client.run(
            lambda api: work(RegistryObjects(api, self.store_uri, self.environment))
        )


def _read_again(read: Callable[[], T]) -> T:
    """Read records, and again where they look damaged.

    They come in pages, between which others may write; so one can be missing that was written in
    between.
    """
    for _ in range(READINGS - 1):
        with suppress(DamagedLedger):
            return read()
    return read()


def _find_entry(history: Sequence[Entry], number: int) -> Entry | None:
    return next((entry for entry in history if entry.promotion.number == number), None)
