"""A Model Registry server, whose errors become the ledger's.

Only the generated half of the official client, `mr_openapi`, is used, and `session` adds what it
lacks. The hand-written half, `model_registry`, patches the event loop and sets up logging at
import, and has no serving objects. Each release of the client knows one URL prefix. Servers up to
0.3.8 serve v1alpha3 alone, later ones v1 too, and in 2027 those answer 410 for the old one. The
first request finds the prefix, the newest first, and all others use it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from mr_openapi import Configuration, ModelRegistryServiceApi
from mr_openapi.exceptions import ApiException

from registry.errors import Conflict, LedgerError, Unreachable
from registry.kubeflow.session import FAILURES, Session, Timeouts, is_transient

T = TypeVar("T")
PREFIXES = ("v1", "v1alpha3")
GONE = 410
NOT_HERE = (404, GONE)  # answers of a server that does not serve a prefix, or not any more
CONFLICT = 409
DENIED = (401, 403)
SHOWN = 300  # characters of a server's answer
CHECK = "check that `ledger` is the address of a Kubeflow Model Registry"
ACCOUNT = "check the token (`ledger_token`) and what its account may do"


class RegistryClient:
    """One Model Registry server.

    Args:
        url: its address, such as `http://model-registry-service.kubeflow:8080`.
        token: file with the bearer token; read for each operation, so it may be rotated.
        ca: file with the certificates to verify the server's; None for the system's.
        timeouts: see there.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Path | None = None,
        ca: Path | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.ca = ca
        self.timeouts = timeouts or Timeouts()
        self._prefix = ""
        self._sunset = ""

    @property
    def sunset(self) -> str:
        """When the server stops to serve what it was asked for, in its words; empty if unknown."""
        return self._sunset

    def run(self, work: Callable[[ModelRegistryServiceApi], Awaitable[T]]) -> T:
        """Send some requests over one session.

        Raises:
            Unreachable: the server does not answer in time, or has a fault.
            Conflict: the object to create exists already.
            LedgerError: the server refuses, or is not a Model Registry.
        """
        try:
            return asyncio.run(self._in_session(work))
        except ApiException as error:
            raise self._translate_error(error) from error
        except FAILURES as error:
            reason = str(error) or type(error).__name__
            raise self._unreachable_error(reason) from error
        except ValueError as error:
            shown = _one_line(error)
            raise LedgerError(
                f"{self.url}: not the answer of a Model Registry: {shown}", hint=CHECK
            ) from error

    async def _in_session(self, work: Callable[[ModelRegistryServiceApi], Awaitable[T]]) -> T:
        async with self._open_session() as session:
            api = ModelRegistryServiceApi(session)
            if not self._prefix:
                self._prefix = session.prefix = await self._served_prefix(api, session)
            answer = await work(api)
            self._sunset = session.sunset
            return answer

    async def _served_prefix(self, api: ModelRegistryServiceApi, session: Session) -> str:
        for prefix in PREFIXES:
            session.prefix = prefix
            try:
                await api.get_registered_models(page_size="1")
            except ApiException as error:
                if error.status not in NOT_HERE:
                    raise
                continue
            return prefix
        raise LedgerError(
            f"{self.url}: serves none of the prefixes {', '.join(PREFIXES)}", hint=CHECK
        )

    def _open_session(self) -> Session:
        ca = str(self.ca) if self.ca else None
        configuration = Configuration(
            host=self.url, access_token=self._read_token(), ssl_ca_cert=ca
        )
        try:
            return Session(configuration, self.timeouts, self._prefix)
        except OSError as error:
            raise LedgerError(
                f"{ca}: not certificates: {error}", hint="check `ledger_ca`"
            ) from error

    def _read_token(self) -> str | None:
        if self.token is None:
            return None
        try:
            found = self.token.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError):
                reason = error.strerror
            else:
                reason = "it holds more than ASCII"
            raise LedgerError(
                f"{self.token}: the registry's token cannot be read: {reason}", hint=ACCOUNT
            ) from None
        if not found.isprintable() or not found:  # the message must not show the content
            raise LedgerError(
                f"{self.token}: must contain the registry's token, on one line", hint=ACCOUNT
            )
        return found

    def _translate_error(self, error: ApiException) -> LedgerError:
        status = error.status
        text = _one_line(error.body or error.reason)
        if status == GONE:  # since the prefix was found; the next operation looks for it again
            self._prefix = ""
        if status == CONFLICT:
            return Conflict(f"{self.url}: {text}", hint="somebody was faster: run the gate again")
        if status is None or is_transient(status):
            return self._unreachable_error(f"{status} {text}")
        return LedgerError(
            f"{self.url}: {status} {text}", hint=ACCOUNT if status in DENIED else CHECK
        )

    def _unreachable_error(self, reason: str) -> Unreachable:
        return Unreachable(
            f"{self.url}: {reason}",
            hint="check the address and that the registry runs; then the same command again",
        )


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:SHOWN]
