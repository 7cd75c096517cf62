import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.patience import patience

from katib.metrics_collector import BadMetricsFile, MetricsReader, number, strategy_value

UNAVAILABLE = {"name": "mse", "min": "unavailable", "max": "unavailable", "latest": "unavailable"}


def read(
    *lines: str, metrics: tuple[str, ...] = ("mse",), filters: tuple[str, ...] = ()
) -> list[dict[str, str]]:
    reader = MetricsReader(metrics, filters)
    for line in lines:
        reader.feed(line)
    return reader.observation()


def latest(*lines: str, filters: tuple[str, ...] = ()) -> str | None:
    return read(*lines, filters=filters)[0].get("latest")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("mse = 0.5", ["0.5"]),
        ("mse=.5", [".5"]),
        ("mse=-1e-05", ["-1e-05"]),
        ("mse=+3", ["+3"]),
        ("mse=nan", [""]),
        ("mse=inf", [""]),
        ("mse==3", [""]),
        ("mse=", [""]),
        ("mse=1,234.5", ["1"]),
        ("mse=1_000", ["1"]),
        ("mse=1e", ["1"]),
        ("val/mse=0.4", ["0.4"]),
        ("val.mse=0.4", ["0.4"]),
        ("mse: 0.5", []),
        ("{'mse': 0.5}", []),
        ("val_mse=0.4", []),
        ("val-mse=0.4", []),
        ("mse|mse=0.4", []),
        ("MSE=0.4", []),
        ("mse=1 mse=2,mse=3mse=4", ["1", "2", "3", "4"]),
        ("epoch 3: mse  =  2.5 (best)", ["2.5"]),
        ("mse=\u0661", [""]),
        ("loss=1", []),
        ("", []),
    ],
)
def test_a_line_is_read_as_katibs_collector_reads_it(line: str, values: list[str]) -> None:
    assert [report.value for report in MetricsReader(("mse",)).feed(line)] == values


def test_a_report_without_a_number_is_a_report_with_nothing_to_compare() -> None:
    assert read("mse=nan") == [{"name": "mse", "min": "unavailable", "max": "unavailable"}]


def test_min_and_max_are_over_all_reports_and_latest_is_the_last() -> None:
    assert read("mse=3", "mse=1", "mse=2") == [
        {"name": "mse", "min": "1", "max": "3", "latest": "2"}
    ]


def test_a_number_stays_the_text_that_was_printed() -> None:
    assert read("mse=01.50", "mse=1.5") == [
        {"name": "mse", "min": "01.50", "max": "01.50", "latest": "1.5"}
    ]


def test_nothing_printed_is_unavailable_and_takes_the_additional_metrics_with_it() -> None:
    assert read("done") == [UNAVAILABLE]
    assert read("r2=0.5", metrics=("mse", "r2")) == [UNAVAILABLE, {**UNAVAILABLE, "name": "r2"}]


def test_a_missing_additional_metric_is_unavailable_alone() -> None:
    assert read("mse=1", metrics=("mse", "r2"))[1] == {**UNAVAILABLE, "name": "r2"}


def test_the_objective_counts_as_seen_even_without_a_number() -> None:
    reader = MetricsReader(("mse", "r2"))
    reader.feed("r2=0.5")
    assert not reader.objective_seen
    reader.feed("mse=nan")
    assert reader.objective_seen


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["2026-01-02T00:00:00Z mse=1", "2026-01-01T00:00:00Z mse=2"], "1"),
        (["2026-01-01T00:00:00.123456789Z mse=1", "2026-01-01T00:00:00.1Z mse=2"], "1"),
        (["2026-01-01T02:00:00+02:00 mse=1", "2026-01-01T00:30:00Z mse=2"], "2"),
        (["2026-01-01T00:00:00Z mse=1", "2026-01-01T00:00:00Z mse=2"], "2"),
        (["2026-01-01T00:00:00Z mse=1", "mse=2"], "1"),
        (["2026-01-01 mse=1", "mse=2"], "2"),
        (["2026-01-01T00:00:00 mse=1", "mse=2"], "2"),
        (["[2026-01-01T00:00:00Z] mse=1", "mse=2"], "2"),
    ],
)
def test_latest_goes_by_the_timestamp_in_front_of_the_line(lines: list[str], expected: str) -> None:
    assert latest(*lines) == expected


def test_a_custom_filter_replaces_the_default_one() -> None:
    assert latest("mse: 0.5", filters=(r"(\w+): (\S+)",)) == "0.5"
    assert latest("mse=0.5", filters=(r"(\w+): (\S+)",)) == "unavailable"


def test_all_custom_filters_count() -> None:
    filters = (r"(\w+): (\S+)", r"(\w+) is (\S+)")
    assert read("mse: 1", "mse is 2", filters=filters)[0] == {
        "name": "mse",
        "min": "1",
        "max": "2",
        "latest": "2",
    }


def test_a_custom_filter_whose_group_took_no_part_reports_no_value() -> None:
    assert read("mse", filters=(r"(mse)(=.*)?",)) == [
        {"name": "mse", "min": "unavailable", "max": "unavailable"}
    ]


@pytest.mark.parametrize("text", ["nan", "1_000", "0x10", "ten"])
def test_what_a_custom_filter_captured_is_latest_though_it_is_no_number(text: str) -> None:
    observation = read(f"mse: {text}", filters=(r"(\w+): (\S+)",))
    assert observation == [
        {"name": "mse", "min": "unavailable", "max": "unavailable", "latest": text}
    ]
    assert strategy_value(observation, "mse", "min") is None


def json_reader(*documents: object) -> MetricsReader:
    reader = MetricsReader(("mse", "r2"), (), json_lines=True)
    for document in documents:
        reader.feed(document if isinstance(document, str) else json.dumps(document))
    return reader


def test_json_values_are_read_from_strings_and_numbers_are_passed_over() -> None:
    mse, r2 = json_reader({"mse": "1.5", "r2": 0.5, "other": "3"}, "", "null").observation()
    assert mse["latest"] == "1.5"
    assert r2["latest"] == "unavailable"


@pytest.mark.parametrize("line", ["   ", "\r", "\t", "mse=1", "[1]", '{"mse": NaN}'])
def test_a_line_that_is_no_json_object_stops_the_collector_even_if_it_is_blank(line: str) -> None:
    with pytest.raises(BadMetricsFile):
        json_reader({"mse": "1"}, line)


def test_a_carriage_return_at_the_end_of_a_json_line_is_blank() -> None:
    assert json_reader('{"mse": "1.5"}\r').observation()[0]["latest"] == "1.5"


@pytest.mark.parametrize("first", [1767225601, 1767225600.5, "2026-01-01T00:00:01Z"])
def test_json_timestamps_are_seconds_or_rfc_3339(first: object) -> None:
    reader = json_reader(
        {"timestamp": first, "mse": "1"}, {"timestamp": 1767225600, "mse": "2"}, {"mse": "3"}
    )
    assert reader.observation()[0]["latest"] == "1"


@pytest.mark.parametrize("odd", [1e30, -1e30, 10**40, True, "yesterday", None, []])
def test_a_json_timestamp_that_is_none_counts_as_no_time(odd: object) -> None:
    assert (
        json_reader({"timestamp": odd, "mse": "1"}, {"timestamp": 5, "mse": "2"}).observation()[0][
            "latest"
        ]
        == "2"
    )


@pytest.mark.parametrize(
    "line", ["mse=1", "[1]", '"mse"', "{", '{"mse": NaN}', "[" * 100_000, "{'mse': '1'}"]
)
def test_a_line_that_is_no_json_object_stops_the_collector(line: str) -> None:
    with pytest.raises(BadMetricsFile, match="not "):
        json_reader(line)


@pytest.mark.parametrize(
    ("entry", "strategy", "value"),
    [
        ({"min": "1", "max": "3", "latest": "2"}, "min", 1.0),
        ({"min": "1", "max": "3", "latest": "2"}, "max", 3.0),
        ({"min": "1", "max": "3", "latest": "2"}, "latest", 2.0),
        ({"min": "unavailable", "max": "unavailable", "latest": "2"}, "min", 2.0),
        ({"latest": "2"}, "max", 2.0),
        ({"min": "unavailable", "max": "unavailable"}, "min", None),
        ({"min": "1", "max": "1"}, "latest", None),
        ({"min": "nan", "max": "3", "latest": "2"}, "min", None),
        ({"min": "unavailable", "max": "unavailable", "latest": "unavailable"}, "latest", None),
    ],
)
def test_a_trial_is_compared_by_its_strategys_field(
    entry: dict[str, str], strategy: str, value: float | None
) -> None:
    observation = [{"name": "r2", "latest": "9"}, {"name": "mse", **entry}]
    assert strategy_value(observation, "mse", strategy) == value
    assert strategy_value(observation[:1], "mse", strategy) is None


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_printed_as_a_plain_decimal_is_read_back_exactly(value: float) -> None:
    observation = read(f"mse={np.format_float_positional(value, trim='-')}")
    assert strategy_value(observation, "mse", "latest") == value
    assert number(observation[0]["min"]) == value


@settings(deadline=None)
@given(st.text(alphabet="ms=|-. +1eE,é\t", max_size=30))
def test_the_default_filter_finds_what_katibs_finds(line: str) -> None:
    katibs = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
    metrics = ("m", "ms", "s", "1")
    assert MetricsReader(metrics).feed(line) == MetricsReader(metrics, (katibs,)).feed(line)


@pytest.mark.timeout(patience(20))
def test_a_long_line_of_letters_takes_no_longer_than_any_other() -> None:
    assert latest("x" * (1 << 20) + " mse=1") == "1"
    assert latest("mse" * (1 << 18) + "|" + " " * (1 << 20)) == "unavailable"


def test_memory_does_not_grow_with_the_number_of_reports() -> None:
    reader = MetricsReader(("mse",))
    tracemalloc.start()
    for index in range(5000):
        reader.feed(f"mse={index}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    assert reader.observation()[0] == {"name": "mse", "min": "0", "max": "4999", "latest": "4999"}
