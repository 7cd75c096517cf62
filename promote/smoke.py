"""The smoke test: does the running service answer as the package does?

It waits on conditions, never for a time; each check asserts a value, not that something answered.
"""

from typing import TYPE_CHECKING

from promote.smoke_report import SmokeReport
from registry.package import ModelPackage

if TYPE_CHECKING:
    import httpx


def smoke(
    url: str,
    package: ModelPackage,
    *,
    timeout: float = 30.0,
    max_latency: float = 0.25,
    key: str = "",
    client: "httpx.Client | None" = None,
) -> SmokeReport:
    """Test a service against the package it should serve; each of its replicas where its name has several addresses.

    A cluster's headless Service is such a name. Through any other, one answer would speak for all replicas, though each
    swaps by itself.

    Args:
        url: the service's base address.
        package: what was promoted.
        timeout: seconds to wait for the service to serve this package.
        max_latency: seconds that the median answer to one row may take.
        key: the service's API key, where it wants one.
        client: for tests; a new one otherwise.
    """
    from promote.probing import probe  # noqa: PLC0415 - httpx takes a quarter of the time in which a server starts

    return SmokeReport(
        url=url, checks=probe(url, package, timeout=timeout, max_latency=max_latency, key=key, client=client)
    )
