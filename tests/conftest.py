"""What all tests share: those marked `cluster` need the Kubernetes that KUBECONFIG names."""

import os
import signal

import pytest

# In the background, or under nohup, these are ignored, and so they would be by every program that the tests signal.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("KUBECONFIG"):
        return
    skip = pytest.mark.skip(reason="KUBECONFIG names no cluster")
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(skip)
