"""The official client's generated half (`mr_openapi`), with what it lacks.

- Each release of it knows one URL prefix, and servers serve one: v1alpha3 up to 0.3.8, v1 after. The prefix is asked
  for once, then every request is sent there.
- It waits five minutes for an answer and names no limit for connecting; here both are bounded.
- Reading is repeated after a failure, writing never: whether a write took place is for the caller to find out.
- Its errors, and those of the HTTP library below, become ours.

The hand-written half, `model_registry`, patches the event loop and sets up logging at import, and has no serving
objects; it is not used.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from mr_openapi import ApiClient, Configuration, ModelRegistryServiceApi
from mr_openapi.exceptions import ApiException, NotFoundException
from pydantic import ValidationError

from registry.errors import Conflict, LedgerError, Unreachable

T = TypeVar("T")
PREFIXES = ("v1alpha3", "v1")
PATH = re.compile(r"/api/model_registry/[^/]+/")
READ_ATTEMPTS = 3
NOT_FOUND, CONFLICT, TOO_MANY, SERVER_ERROR = 404, 409, 429, 500
DENIED = (401, 403)
SHOWN = 300  # characters of a server's answer


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and between two pieces of an answer."""

    connect: float = 5.0
    read: float = 10.0


class Client:
    """One Model Registry server.

    Args:
        url: its address, such as `http://model-registry-service.kubeflow:8080`.
        token: file with the bearer token; read for each operation, so it may be rotated.
        ca: file with the certificates to check the server's own against; the system's where None.
        timeouts: see there.
    """

    def __init__(
        self, url: str, *, token: Path | None = None, ca: Path | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self.token, self.ca, self.timeouts = token, ca, timeouts or Timeouts()
        self._prefix = ""

    def run(self, work: Callable[[ModelRegistryServiceApi], Awaitable[T]]) -> T:
        """Do some requests over one session.

        Raises:
            Unreachable: the server does not answer, or not in time, or has a fault.
            Conflict: what was to be created exists.
            LedgerError: it refuses, or is no Model Registry.
        """
        try:
            return asyncio.run(self._work(work))
        except ApiException as error:
            raise self._error(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise self._unreachable(reason) from error
        except (ValidationError, ValueError) as error:
            raise LedgerError(f"{self.url}: not the answer of a Model Registry: {error}", hint=CHECK) from error

    async def _work(self, work: Callable[[ModelRegistryServiceApi], Awaitable[T]]) -> T:
        async with _Session(self._configuration(), self.timeouts, self._prefix) as session:
            api = ModelRegistryServiceApi(session)
            if not self._prefix:
                self._prefix = session.prefix = await self._served_prefix(api, session)
            return await work(api)

    async def _served_prefix(self, api: ModelRegistryServiceApi, session: "_Session") -> str:
        for prefix in PREFIXES:
            session.prefix = prefix
            try:
                await api.get_registered_models(page_size="1")
            except NotFoundException:
                continue
            return prefix
        raise LedgerError(f"{self.url}: serves none of the prefixes {', '.join(PREFIXES)}", hint=CHECK)

    def _configuration(self) -> Configuration:
        try:
            token = self.token.read_text(encoding="utf-8").strip() if self.token else None
        except OSError as error:
            raise LedgerError(f"the registry's token cannot be read: {error}", hint="look at `ledger_token`") from error
        ca = str(self.ca) if self.ca else None
        return Configuration(host=self.url, access_token=token, ssl_ca_cert=ca, retries=READ_ATTEMPTS)

    def _error(self, error: ApiException) -> LedgerError:
        status, text = error.status, " ".join(str(error.body or error.reason).split())[:SHOWN]
        if status == CONFLICT:
            return Conflict(f"{self.url}: {text}", hint="somebody was faster: run the gate again")
        if status is None or status >= SERVER_ERROR or status == TOO_MANY:
            return self._unreachable(f"{status} {text}")
        hint = "check the token (`ledger_token`) and what its account may do" if status in DENIED else CHECK
        return LedgerError(f"{self.url}: {status} {text}", hint=hint)

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(
            f"{self.url}: {reason}", hint="check the address and that the registry runs; then the same command again"
        )


CHECK = "check that `ledger` is the address of a Kubeflow Model Registry"


class _Session(ApiClient):  # type: ignore[misc] # the generated code has no types
    """The generated client with bounded waiting and the server's own prefix."""

    def __init__(self, configuration: Configuration, timeouts: Timeouts, prefix: str) -> None:
        super().__init__(configuration)
        self.prefix = prefix
        self.limits = aiohttp.ClientTimeout(sock_connect=timeouts.connect, sock_read=timeouts.read)

    async def call_api(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Send one request; see the base class."""
        kwargs["_request_timeout"] = self.limits
        return await super().call_api(
            method, PATH.sub(f"/api/model_registry/{self.prefix}/", url, count=1), *args, **kwargs
        )
