"""What is printed of a verdict: names and numbers that people read."""

from promote.verdict import Comparison, ModelSummary, Verdict
from tunegate.console import evidence_lines

FOUND = Comparison(
    candidate=675_512_345.0,
    champion=701_000_000.0,
    gain=25_487_655.0,
    low=1234.0,
    high=30_000_000.0,
    p_better=0.97,
    rows=1168,
)


def lines(metric: str) -> list[str]:
    candidate = ModelSummary(
        sha256="0" * 64, experiment="houses", trial="houses-1", parameters={}, search_score=1.0
    )
    verdict = Verdict(
        verdict="promote",
        kind="first",
        model="houses",
        metric=metric,
        mode="keys",
        reasons=("first model: nothing was in production",),
        checks=(),
        candidate=candidate,
        recipe=FOUND,
    )
    return list(evidence_lines(verdict))


def test_a_large_error_is_written_out_and_called_by_its_name() -> None:
    assert lines("mse")[0] == (
        "mean squared error on fresh folds: 675,500,000 (RMSE 25,990), "
        "the library's defaults 701,000,000 (RMSE 26,480); "
        "gain 25,500,000, 90 % interval 1,230 to 30,000,000 (1168 rows)"
    )


def test_metrics_are_called_by_their_names() -> None:
    assert lines("log_loss")[0].startswith("log loss on fresh folds: ")
    assert lines("accuracy")[0].startswith("error rate on fresh folds: ")
