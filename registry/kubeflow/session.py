"""The official client's generated half (`mr_openapi`) over one HTTP session, with what it lacks.

- It waits five minutes for an answer and names no limit for connecting; here both are bounded.
- Reading is repeated after a failure, writing never: whether a write took place is for the caller to find out.
- Where an answer is not of the shape that it expects, it fails in any way or returns nothing; here it is a ValueError.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from mr_openapi import ApiClient, Configuration

PATH = re.compile(r"/api/model_registry/[^/]+/")
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
PAUSES = (0.2, 0.6)  # seconds before reading is tried again
TOO_MANY = 429
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and then for the whole of an answer."""

    connect: float = 5.0
    read: float = 10.0


def is_transient(status: int) -> bool:
    """Whether a server that answers so may answer otherwise in a while."""
    return status >= SERVER_ERROR or status == TOO_MANY


class Session(ApiClient):  # type: ignore[misc] # the generated code has no types
    """The generated client with bounded waiting, repeated reading and the server's own prefix."""

    def __init__(self, configuration: Configuration, timeouts: Timeouts, prefix: str) -> None:
        super().__init__(configuration)
        self.prefix = prefix
        self.limits = aiohttp.ClientTimeout(
            total=timeouts.connect + timeouts.read, connect=timeouts.connect
        )

    async def call_api(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Send one request, or one for each attempt to read; see the base class."""
        url = PATH.sub(f"/api/model_registry/{self.prefix}/", url, count=1)
        for pause in PAUSES if method == "GET" else ():
            with suppress(*FAILURES):
                response = await self._send_request(method, url, *args, **kwargs)
                if not is_transient(response.status):
                    return response
            await asyncio.sleep(pause)
        return await self._send_request(method, url, *args, **kwargs)

    async def _send_request(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        response = await super().call_api(*args, **{**kwargs, "_request_timeout": self.limits})
        await response.read()  # so that a broken answer fails here, too
        return response

    def response_deserialize(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Make an object of an answer.

        Raises:
            ValueError: when it is not of the shape that the generated code expects, which it does not check.
        """
        try:
            answer = super().response_deserialize(*args, **kwargs)
        except (AttributeError, LookupError, RecursionError, TypeError) as error:
            raise ValueError(str(error)) from error
        if answer.data is None:
            raise ValueError("an empty answer")
        return answer
