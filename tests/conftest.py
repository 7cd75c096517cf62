"""What all tests share: those marked `cluster` need the Kubernetes that KUBECONFIG names."""

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("KUBECONFIG"):
        return
    skip = pytest.mark.skip(reason="KUBECONFIG names no cluster")
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(skip)
