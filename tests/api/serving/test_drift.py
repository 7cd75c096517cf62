"""Sampled requests against the training rows: index, distance and P in `/metrics`."""

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from scipy.stats import chi2, chi2_contingency, false_discovery_control
from support.serving.servers import in_process, put

from api import create_app
from api.serving.drift import KEPT, adjust_p, chi_squared_p, two_sample_p
from registry import ModelStore
from registry.package import ModelPackage
from trainer.dataset import Dataset

Found = dict[tuple[str, str], float]


def drift_metrics(client: httpx.Client) -> Found:
    """Read the metrics of columns: (what, column) -> value."""
    text = client.get("/metrics").raise_for_status().text
    return {
        (sample.name.removeprefix("tunegate_feature_"), sample.labels["column"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("tunegate_feature_") and "bin" not in sample.labels
    }


def send(client: httpx.Client, data: Dataset, *, times: int, larger: float = 0.0) -> None:
    """Send training rows, four a request, all of which are sampled."""
    table = data.training.table
    rows = [
        {
            "size": min(float(table["size"][i]) + larger, 200.0),
            "age": None if np.isnan(table["age"][i]) else float(table["age"][i]),
            "region": table["region"][i],
            "garden": bool(table["garden"][i]),
        }
        for i in range(len(data.training.y))
    ]
    for _ in range(times):
        for start in range(0, len(rows), 4):
            body = {"instances": rows[start : start + 4]}
            client.post("/v1/models/homes:predict", json=body).raise_for_status()


def test_requests_that_move_are_seen_in_the_column_that_moves_and_in_no_other(
    store: ModelStore, homes: ModelPackage, homes_data: Dataset
) -> None:
    put(store, homes)
    with in_process(create_app(store, "homes")) as client:
        assert drift_metrics(client) == {}  # nothing is said of a few rows
        send(client, homes_data, times=1)
        still = drift_metrics(client)
        assert {column for _, column in still} == {"size", "age", "region", "garden"}
        assert max(value for (what, _), value in still.items() if what != "drift_p") < 0.05
        assert min(value for (what, _), value in still.items() if what == "drift_p") > 0.9
        assert ("ks", "region") not in still
        send(client, homes_data, times=2, larger=60.0)
        moved = drift_metrics(client)
    assert moved["psi", "size"] > 0.25
    assert moved["ks", "size"] > 0.15
    assert moved["drift_p", "size"] < 1e-6
    assert moved["drift_p", "age"] > 0.9
    assert len(homes_data.training.y) < KEPT


@pytest.mark.parametrize("freedom", [1, 4, 10, 60])
def test_p_is_scipys(freedom: int) -> None:
    for p in (0.5, 0.1, 0.01, 1e-4):
        assert chi_squared_p(chi2.isf(p, freedom), freedom) == pytest.approx(p, abs=0.003, rel=0.6)
    rng = np.random.default_rng(freedom)
    shares = rng.dirichlet(np.full(freedom + 1, 5.0))
    known, seen = (rng.multinomial(50_000, shares).astype(np.float64) for _ in range(2))
    expected = chi2_contingency(np.stack([known, seen]), correction=False).pvalue
    assert two_sample_p(known, seen) == pytest.approx(expected, abs=0.003)


def test_p_is_adjusted_as_scipy_does() -> None:
    p = [0.9, 0.001, 0.04, 0.02, 0.5]
    assert adjust_p(p) == pytest.approx(false_discovery_control(p))
