"""Candidates in shadow mode: start one, and read what a server reports of it."""

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from registry import ModelStore
from registry.package import ModelPackage
from registry.shadow import Shadow
from support.serving.servers import await_true

ROW = {"x": 0.25}


def start_shadow(store: ModelStore, package: ModelPackage, share: float = 1.0) -> None:
    """Let servers ask this package silently."""
    store.add(package)
    store.set_shadow(Shadow(model=package.manifest.name, sha256=package.digest, share=share))


def shadow_report(client: httpx.Client, name: str) -> dict[str, Any]:
    """Return what the server reports of a model's shadow."""
    found: dict[str, Any] = client.get(f"/v1/models/{name}/shadow").raise_for_status().json()
    return found


def await_candidate(client: httpx.Client, package: ModelPackage | None) -> None:
    """Wait until the server asks this package silently, or none."""
    expected = package.digest if package else None
    name = package.manifest.name if package else "toy"
    await_true(
        lambda: shadow_report(client, name)["candidate"] == expected, "the candidate to be asked"
    )


def await_rows(client: httpx.Client, rows: int, name: str = "toy") -> dict[str, Any]:
    """Wait until this many rows were compared; return what was seen."""
    await_true(
        lambda: shadow_report(client, name)["seen"]["rows"] >= rows, f"{rows} rows to be compared"
    )
    seen: dict[str, Any] = shadow_report(client, name)["seen"]
    assert (seen["rows"], seen["dropped"], seen["failed"]) == (rows, 0, 0), seen
    return seen


def shadow_samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """Read the metrics of the shadow: name and the labels' values, sorted by label -> value."""
    return {
        (
            sample.name.removeprefix("tunegate_shadow_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").raise_for_status().text)
        for sample in family.samples
        if sample.name.startswith("tunegate_shadow_")
    }
