"""The smoke test: does the running service answer as the package does?

It waits on conditions, never for a time; each check asserts a value, not only that an answer came.
"""

import socket
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx
import numpy as np
from numpy.typing import NDArray

from registry.package import ModelPackage
from registry.record import JsonObject, Record

VERSION_HEADER = "X-Model-Version"
KEY_HEADER = "X-API-Key"
TOLERANCE = 1e-9  # relative, of a prediction
POLL = 0.05  # seconds between two looks at the version
RESPONSE_TIMEOUT = 10.0  # seconds
LATENCY_SAMPLES = 20


class SmokeCheck(Record, frozen=True, kw_only=True):
    """One check of the service."""

    name: str
    passed: bool
    detail: str


class SmokeReport(Record, frozen=True, kw_only=True):
    """What the smoke test found."""

    url: str
    checks: tuple[SmokeCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> str:
        """The failed checks in one line."""
        failed = [check for check in self.checks if not check.passed]
        return "; ".join(f"{check.name}: {check.detail}" for check in failed)


def smoke_test(
    url: str,
    package: ModelPackage,
    *,
    timeout: float = 30.0,
    max_latency: float = 0.25,
    key: str = "",
    client: httpx.Client | None = None,
) -> SmokeReport:
    """Test a service against the package it should serve.

    If the service's name has several addresses, as a cluster's headless Service has, each replica
    is tested: through any other name one answer would speak for all, but each swaps by itself.

    Args:
        url: the service's base address.
        package: what was promoted.
        timeout: seconds to wait for the service to serve this package.
        max_latency: seconds that the median answer to one row may take.
        key: the service's API key, if it asks for one.
        client: for tests; a new one otherwise.
    """
    expected = _Expected(package, timeout, max_latency)
    headers = {KEY_HEADER: key} if key else {}
    with client or _connect(url, headers) as session:
        checks = _run_checks(session, expected)
    if checks[0].passed and client is None:
        host = httpx.URL(url).netloc.decode()
        for replica in _replica_urls(url):
            with _connect(replica, headers | {"Host": host}) as session:
                found = _run_checks(session, expected)
            checks += [check.replace(name=f"{check.name} of {replica}") for check in found]
    return SmokeReport(url=url, checks=tuple(checks))


class _Expected(NamedTuple):
    """What a service is tested against; times in seconds."""

    package: ModelPackage
    timeout: float
    max_latency: float


CheckResult = tuple[bool, str]  # whether it passed, and a detail


def _connect(url: str, headers: Mapping[str, str]) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=RESPONSE_TIMEOUT, headers=headers)


def _run_checks(session: httpx.Client, expected: _Expected) -> list[SmokeCheck]:
    """Run every check; only the first, if another package is served."""
    package = expected.package
    version = _run_check("version", lambda: _await_version(session, expected))
    if not version.passed:
        return [version]
    return [
        version,
        _run_check("health", lambda: _check_health(session)),
        _run_check("golden predictions", lambda: _check_golden_rows(session, package)),
        _run_check("bad input", lambda: _check_refusal(session, package)),
        _run_check("latency", lambda: _check_latency(session, expected)),
    ]


def _run_check(name: str, check: Callable[[], CheckResult]) -> SmokeCheck:
    try:
        passed, detail = check()
    # Whatever the service has answered is a finding, not a crash.
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        passed = False
        detail = f"{type(error).__name__}: {error}"
    return SmokeCheck(name=name, passed=passed, detail=detail)


def _await_version(session: httpx.Client, expected: _Expected) -> CheckResult:
    wanted = expected.package.digest
    deadline = time.monotonic() + expected.timeout
    while True:
        served = _served_version(session)
        if served == wanted:
            return True, f"serves {served[:12]}"
        if time.monotonic() >= deadline:
            what = served[:12] or "nothing"
            return False, f"serves {what} after {expected.timeout:g} s, expected {wanted[:12]}"
        time.sleep(POLL)


def _served_version(session: httpx.Client) -> str:
    try:
        return str(session.get("/version").headers.get(VERSION_HEADER, ""))
    except httpx.TransportError:
        return ""


def _check_health(session: httpx.Client) -> CheckResult:
    codes = {path: session.get(path).status_code for path in ("/healthz", "/readyz")}
    healthy = set(codes.values()) == {httpx.codes.OK}
    return healthy, ", ".join(f"{path} {code}" for path, code in codes.items())


def _check_golden_rows(session: httpx.Client, package: ModelPackage) -> CheckResult:
    differences = []
    for row, expected in zip(package.golden.rows, package.golden.predictions, strict=True):
        response = session.post("/predict", json=row)
        response.raise_for_status()
        served = response.headers.get(VERSION_HEADER)
        if served != package.digest:
            return False, f"answered by {served}"
        predicted = _predicted_numbers(response.json(), package)
        relative = np.abs(predicted - expected) / np.maximum(1e-12, np.abs(expected))
        differences.append(np.max(relative, initial=0))
    worst = float(np.max(differences))  # NaN if any is, and NaN is not within the tolerance
    return worst <= TOLERANCE, f"{len(differences)} rows, largest relative difference {worst:.2g}"


def _predicted_numbers(body: JsonObject, package: ModelPackage) -> NDArray[np.float64]:
    manifest = package.manifest
    if manifest.task == "regression":
        return np.array([body[manifest.prediction]])
    return np.array([body["probabilities"][str(label)] for label in manifest.classes])


def _check_refusal(session: httpx.Client, package: ModelPackage) -> CheckResult:
    name = package.manifest.columns[0].name
    row = dict(package.golden.rows[0])
    row.pop(name, None)
    code = session.post("/predict", json=row).status_code
    refused = code == httpx.codes.UNPROCESSABLE_ENTITY
    return refused, f"a request without {name} is answered {code}"


def _check_latency(session: httpx.Client, expected: _Expected) -> CheckResult:
    rows = expected.package.golden.rows
    seconds = []
    for number in range(LATENCY_SAMPLES):
        start = time.perf_counter()
        session.post("/predict", json=rows[number % len(rows)]).raise_for_status()
        seconds.append(time.perf_counter() - start)
    median = float(np.median(seconds))
    limit = expected.max_latency
    return median <= limit, f"median {median * 1000:.1f} ms, at most {limit * 1000:.0f} ms"


def _replica_urls(url: str) -> list[str]:
    """Return each replica's address if the name has several.

    They are of one address family, because a replica may have one address of each.
    """
    target = httpx.URL(url)
    if target.scheme != "http":  # a certificate is for the name
        return []
    try:
        known = socket.getaddrinfo(target.host, target.port or 80, type=socket.SOCK_STREAM)
    except OSError:
        return []
    family = min(entry[0] for entry in known)
    hosts = {str(entry[4][0]) for entry in known if entry[0] == family}
    if len(hosts) == 1:
        return []
    return [str(target.copy_with(host=host)) for host in sorted(hosts)]
