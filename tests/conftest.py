"""What all tests share: those marked `cluster` need the Kubernetes that KUBECONFIG names."""

import os
import signal

import pytest

# Where the tests run in the background, SIGINT is ignored, and so it would be by every program that they interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("KUBECONFIG"):
        return
    skip = pytest.mark.skip(reason="KUBECONFIG names no cluster")
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(skip)
