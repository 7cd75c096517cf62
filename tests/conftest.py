"""What all tests share: the markers `cluster` and `quick`, time-outs, and a browser.

Those marked `cluster` need the Kubernetes that KUBECONFIG names. Those marked `quick` are all that
start no process and take no time; they are chosen here, by file.
"""

import os
import shutil
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from support.cluster.kubectl import port_forward
from support.patience import patience
from support.slow_modules import is_slow

if TYPE_CHECKING:  # takes longer to import than most tests to run
    from playwright.sync_api import Browser

# In the background, or under nohup, these signals are ignored; the programs that the tests start
# would inherit that.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

TESTS = Path(__file__).parent

# A machine that is busy with other things must not fail a property: no example has a deadline.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let the time-out of a test grow with the machine's load, before pytest-timeout reads it."""
    if config.option.timeout is None and "PYTEST_TIMEOUT" not in os.environ:
        config.option.timeout = patience(float(config.getini("timeout")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="KUBECONFIG names no cluster")
    for item in items:
        if item.get_closest_marker("cluster"):
            if not os.environ.get("KUBECONFIG"):
                item.add_marker(skip)
        elif not is_slow(item.path.relative_to(TESTS)):
            item.add_marker(pytest.mark.quick)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out slow modules of a quick run unread, since importing them takes longer than it."""
    if config.option.markexpr == "quick" and is_slow(collection_path.relative_to(TESTS)):
        return True
    return None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real Model Registry's address."""
    with port_forward("service/model-registry-service", 8080, namespace="kubeflow") as url:
        yield url


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry's client that asks again at once."""
    from registry.kubeflow import session

    monkeypatch.setattr(session, "PAUSES", (0, 0))


@pytest.fixture
def quick(no_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry's client without pauses; the system's certificates are read once."""
    context = ssl.create_default_context()
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: context)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Start Debian's Chromium, for tests of one module."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("there is no chromium on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        yield started
        started.close()
