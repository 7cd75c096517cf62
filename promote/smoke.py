"""The smoke test: does the running service answer as the package does?

It waits on conditions, never for a time; each check asserts a value, not that something answered.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from registry.package import ModelPackage
from registry.record import Record


class SmokeCheck(Record, frozen=True, kw_only=True):
    """One check of the service."""

    name: str
    passed: bool
    detail: str


class SmokeReport(Record, frozen=True, kw_only=True):
    """What the smoke test saw."""

    url: str
    checks: tuple[SmokeCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> str:
        """The failed checks in one line."""
        return "; ".join(
            f"{check.name}: {check.detail}" for check in self.checks if not check.passed
        )


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
    return SmokeReport(
        url=url,
        checks=probe(
            url, package, timeout=timeout, max_latency=max_latency, key=key, client=client
        ),
    )


VERSION_HEADER = "X-Model-Version"
KEY_HEADER = "X-API-Key"
TOLERANCE = 1e-9
POLL = 0.05
ANSWER = 10.0  # seconds
UNPROCESSABLE = 422
LATENCY_SAMPLES = 20


def probe(
    url: str,
    package: ModelPackage,
    *,
    timeout: float,
    max_latency: float,
    key: str,
    client: httpx.Client | None,
) -> tuple[SmokeCheck, ...]:
    """Ask as `promote.smoke.smoke` says."""
    headers = {KEY_HEADER: key} if key else {}
    with client or httpx.Client(base_url=url, timeout=ANSWER, headers=headers) as session:
        checks = _checks(session, package, timeout=timeout, max_latency=max_latency)
    host = httpx.URL(url).netloc.decode()
    for replica in _replicas(url) if not client and checks[0].passed else []:
        with httpx.Client(
            base_url=replica, timeout=ANSWER, headers=headers | {"Host": host}
        ) as session:
            found = _checks(session, package, timeout=timeout, max_latency=max_latency)
        checks += tuple(check.replace(name=f"{check.name} of {replica}") for check in found)
    return checks


def _replicas(url: str) -> list[str]:
    """Return an address for each replica where a name has several; of one family, as a replica may have both."""
    target = httpx.URL(url)
    if target.scheme != "http":  # a certificate is for the name
        return []
    try:
        known = socket.getaddrinfo(target.host, target.port or 80, type=socket.SOCK_STREAM)
    except OSError:
        return []
    family = min(entry[0] for entry in known)
    hosts = {str(entry[4][0]) for entry in known if entry[0] == family}
    if len(hosts) > 1:
        return [str(target.copy_with(host=host)) for host in sorted(hosts)]
    return []


def _checks(
    session: httpx.Client, package: ModelPackage, *, timeout: float, max_latency: float
) -> tuple[SmokeCheck, ...]:
    version = _run("version", lambda: _version(session, package, timeout))
    if not version.passed:
        return (version,)
    return (
        version,
        _run("health", lambda: _healthy(session)),
        _run("golden predictions", lambda: _golden(session, package)),
        _run("bad input", lambda: _refuses(session, package)),
        _run("latency", lambda: _latency(session, package, max_latency)),
    )


def _run(name: str, check: Callable[[], tuple[bool, str]]) -> SmokeCheck:
    try:
        passed, detail = check()
    except (
        httpx.HTTPError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:  # whatever was answered, it is a finding
        passed = False
        detail = f"{type(error).__name__}: {error}"
    return SmokeCheck(name=name, passed=passed, detail=detail)


def _version(session: httpx.Client, package: ModelPackage, timeout: float) -> tuple[bool, str]:
    deadline = time.monotonic() + timeout
    while True:
        seen = _served(session)
        if seen == package.digest:
            return True, f"serves {seen[:12]}"
        if time.monotonic() >= deadline:
            return (
                False,
                f"serves {seen[:12] or 'nothing'} after {timeout:g} s, expected {package.digest[:12]}",
            )
        time.sleep(POLL)  # between two looks at the condition


def _served(session: httpx.Client) -> str:
    try:
        return str(session.get("/version").headers.get(VERSION_HEADER, ""))
    except httpx.TransportError:
        return ""


def _healthy(session: httpx.Client) -> tuple[bool, str]:
    codes = {path: session.get(path).status_code for path in ("/healthz", "/readyz")}
    return set(codes.values()) == {httpx.codes.OK}, ", ".join(
        f"{path} {code}" for path, code in codes.items()
    )


def _golden(session: httpx.Client, package: ModelPackage) -> tuple[bool, str]:
    differences = []
    for row, expected in zip(package.golden.rows, package.golden.predictions, strict=True):
        answer = session.post("/predict", json=row)
        answer.raise_for_status()
        served = answer.headers.get(VERSION_HEADER)
        if served != package.digest:
            return False, f"answered by {served}"
        given = _numbers(answer.json(), package)
        differences.append(
            np.max(np.abs(given - expected) / np.maximum(1e-12, np.abs(expected)), initial=0)
        )
    worst = float(np.max(differences))  # NaN where any is, and then not within the tolerance
    return worst <= TOLERANCE, f"{len(differences)} rows, largest relative difference {worst:.2g}"


def _numbers(answer: dict[str, Any], package: ModelPackage) -> Any:  # noqa: ANN401 - an array
    if package.manifest.task == "regression":
        return np.array([answer[package.manifest.prediction]])
    return np.array([answer["probabilities"][str(label)] for label in package.manifest.classes])


def _refuses(session: httpx.Client, package: ModelPackage) -> tuple[bool, str]:
    row = dict(package.golden.rows[0])
    name = package.manifest.columns[0].name
    missing = {key: value for key, value in row.items() if key != name}
    code = session.post("/predict", json=missing).status_code
    return code == UNPROCESSABLE, f"a request without {name} is answered {code}"


def _latency(session: httpx.Client, package: ModelPackage, limit: float) -> tuple[bool, str]:
    taken = []
    for i in range(LATENCY_SAMPLES):
        start = time.perf_counter()
        session.post(
            "/predict", json=package.golden.rows[i % len(package.golden.rows)]
        ).raise_for_status()
        taken.append(time.perf_counter() - start)
    median = float(np.median(taken))
    return median <= limit, f"median {median * 1000:.1f} ms, at most {limit * 1000:.0f} ms"
