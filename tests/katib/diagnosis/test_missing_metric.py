"""Why output holds no objective; there is a reason exactly if Katib's parser finds no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.diagnosis.missing_metric import why_no_metric
from katib.metrics_collector import BadMetricsFile, MetricsReader, number


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "it printed nothing"),
        (["", "  "], "it printed nothing"),
        (["epoch 1", "done"], "none of its 2 lines names mse; the last is 'done'"),
        (["mse: 0.5"], "its line 'mse: 0.5' names mse, but only `mse=<number>` is read"),
        (["{'mse': 0.5}"], "its line \"{'mse': 0.5}\" names mse, but only `mse=<number>` is read"),
        (["MSE=0.5"], "its line 'MSE=0.5' writes mse in other letters; upper and lower case count"),
        (["mse=nan"], "its line 'mse=nan' has no finite number after `mse=`"),
        (["mse=0.5", "late"], ""),
        (["val/mse=0.4"], ""),  # Katib takes it
        (["val_mse=0.4"], "not as a name of its own in front of `=<number>`"),
    ],
)
def test_of_text(lines: list[str], why: str) -> None:
    assert why in why_no_metric(lines, "mse")
    assert bool(why) == bool(why_no_metric(lines, "mse"))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (['{"mse": "0.5"}'], ""),
        (
            ['{"mse": 0.5}'],
            "it writes mse as 0.5; Katib reads only text, so write it in quotation marks",
        ),
        (['{"mse": "nan"}'], "its value 'nan' of mse is not a finite number"),
        (['{"loss": "1"}'], "none of its 1 lines has the key mse"),
        (["mse=0.5"], "not JSON: 'mse=0.5'"),
    ],
)
def test_of_json(lines: list[str], why: str) -> None:
    assert why_no_metric(lines, "mse", as_json=True) == why


def test_filters_of_ones_own_are_named() -> None:
    why = why_no_metric(["mse=0.5"], "mse", filters=[r"(\w+) is (\d+)"])
    assert why == "no filter of metricsFormat matches its line 'mse=0.5'"


WORDS = st.sampled_from(
    ["mse", "MSE", "loss", "=", ":", " ", "0.5", "nan", "1e-3", "{", "}", '"', "/", "-", "x"]
)
LINES = st.lists(st.lists(WORDS, max_size=8).map("".join), max_size=5)


@given(lines=LINES, as_json=st.booleans())
def test_there_is_a_reason_exactly_where_the_parser_finds_no_number(
    lines: list[str],
    as_json: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    reader = MetricsReader(("mse",), json_lines=as_json)
    found = []
    try:
        for line in lines:
            found += [number(report.value) for report in reader.feed(line)]
    except BadMetricsFile:
        found = []
    assert bool(why_no_metric(lines, "mse", as_json=as_json)) == (
        not any(value is not None for value in found)
    )
