"""The official client's generated half (`mr_openapi`) over one HTTP session, with what it lacks.

- It waits five minutes for an answer and sets no limit for connecting; here both are bounded.
- Here, reading is retried after a failure, writing never: whether a write succeeded is for the
  caller to find out.
- If an answer does not have the expected shape, it raises any exception or returns nothing; here
  that is a ValueError.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from mr_openapi import ApiClient, Configuration

PATH = re.compile(r"/api/model_registry/[^/]+/")
Response = Any  # the generated code has no types
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
    """Whether the server may answer otherwise after a while."""
    return status >= SERVER_ERROR or status == TOO_MANY


class Session(ApiClient):  # type: ignore[misc] # the generated code has no types
    """The generated client with bounded waiting, repeated reading and the server's own prefix."""

    def __init__(self, configuration: Configuration, timeouts: Timeouts, prefix: str) -> None:
        super().__init__(configuration)
        self.prefix = prefix
        self.sunset = ""  # the header of the last answer
        self.limits = aiohttp.ClientTimeout(
            total=timeouts.connect + timeouts.read, connect=timeouts.connect
        )

    async def call_api(self, method: str, url: str, *args: object, **kwargs: object) -> Response:
        """Send one request, or several to read; see the base class."""
        url = PATH.sub(f"/api/model_registry/{self.prefix}/", url, count=1)
        for pause in PAUSES if method == "GET" else ():
            with suppress(*FAILURES):
                response = await self._send_request(method, url, *args, **kwargs)
                if not is_transient(response.status):
                    return response
            await asyncio.sleep(pause)
        return await self._send_request(method, url, *args, **kwargs)

    async def _send_request(self, *args: object, **kwargs: object) -> Response:
        response = await super().call_api(*args, **{**kwargs, "_request_timeout": self.limits})
        await response.read()  # so that a broken answer fails here, too
        self.sunset = response.getheader("Sunset") or ""
        return response

    def response_deserialize(self, *args: object, **kwargs: object) -> Response:
        """Make an object of an answer.

        Raises:
            ValueError: when the answer has another shape, which the generated code does not check.
        """
        try:
            answer = super().response_deserialize(*args, **kwargs)
        except (AttributeError, LookupError, RecursionError, TypeError) as error:
            raise ValueError(str(error)) from error
        if answer.data is None:
            raise ValueError("an empty answer")
        return answer
