"""The report's figures of the search, by their data; tests/e2e/test_report.py draws the page."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli import tunegate
from support.katib.experiments import make_experiment, shell_command
from support.katib.runs import change_json, finished_run
from support.katib.search_spaces import PARAMETERS, parameter

from katib.space import Parameter
from tunegate.report.parallel import (
    TICKS,
    even_ticks,
    log_ticks,
    parallel_coordinates,
    parameter_axis,
)
from tunegate.report.search import failed_trials, optimisation_history
from tunegate.watch.board import Board, Row

SPACE = {
    "rate": ("double", {"min": "0.0001", "max": "1", "distribution": "logUniform"}),
    "kind": ("categorical", {"list": ["a", "b", "<c>"]}),
}
# Every third trial fails; which one is best does not depend on the kind.
THIRD_FAILS = (
    'n=$(ls "COUNT" | wc -l); touch "COUNT/$n"; [ $((n % 3)) = 2 ] && exit 3; '
    "echo mse=${trialParameters.rate}"
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    (folder / "count").mkdir()
    finished_run(
        folder,
        *shell_command(THIRD_FAILS.replace("COUNT", str(folder / "count"))),
        parameters=SPACE,
        maxTrialCount=12,
        parallelTrialCount=1,
    )
    return folder


@pytest.fixture(scope="module")
def page(state: Path) -> str:
    done = tunegate("report", "--state", state, "--output", state / "report.html")
    assert done.returncode == 0, done.stderr
    return (state / "report.html").read_text(encoding="utf-8")


def figures(page: str) -> list[dict[str, Any]]:
    return [
        json.loads(text)
        for text in re.findall(r'<script type="application/json">(.*?)</script>', page)
    ]


def traces(page: str, number: int) -> dict[str, dict[str, Any]]:
    return {trace.get("name", ""): trace for trace in figures(page)[number]["data"]}


def test_a_run_that_was_not_judged_yet_has_a_report_too(page: str) -> None:
    assert "Not judged: no verdict below" in page
    for title in (
        "Optimisation history",
        "Parameter importances",
        "Parallel coordinates",
        "Trials without a result",
    ):
        assert f"<h2>{title}</h2>" in page
    assert "4</td><td>the command fails: exit code 3" in page


def test_it_needs_no_network_and_is_no_huge_file(page: str) -> None:
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "://" not in markup
    assert len(page.encode()) < 2_500_000


def test_the_history_shows_the_best_and_each_trial_without_a_result(page: str, state: Path) -> None:
    seen = traces(page, 0)
    assert seen["no result"]["x"] == [3, 6, 9, 12]
    values = dict(zip(seen["trial"]["x"], seen["trial"]["y"], strict=True))
    best = min(values, key=lambda number: values[number])
    assert seen["best"]["x"] == [best]
    assert seen["best so far"]["y"][-1] == values[best]


def test_parallel_coordinates_have_a_log_axis_and_the_best_on_top(page: str) -> None:
    figure = figures(page)[-1]
    texts = [(each["x"], each["text"]) for each in figure["layout"]["annotations"]]
    assert (0, "<b>rate (log)</b>") in texts
    assert {text for place, text in texts if place == 1} == {"a", "b", "<c>", "<b>kind</b>"}
    best = figure["data"][-1]
    assert best["name"] == "best"
    assert best["line"]["width"] == max(trace["line"]["width"] for trace in figure["data"])
    rate = float(re.findall(r"mse = (\S+?)<", best["text"][0])[0])
    assert best["y"][0] == pytest.approx(1 + math.log10(rate) / 4, abs=1e-4)
    assert best["y"][2] == 0
    failed = traces(page, -1)["no result"]
    assert failed["y"][2::4] == [1.1] * 4
    assert "<c>" not in page.replace("\\u003cc>", "")  # it would end up in the page's own markup


def test_a_run_whose_trials_all_failed_has_a_report(tmp_path: Path) -> None:
    finished_run(tmp_path, *shell_command("exit 3"))
    done = tunegate("report", "--state", tmp_path, "--output", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert "No trial has succeeded." in (tmp_path / "report.html").read_text()


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, *shell_command("echo mse=1")).folder
    change_json(folder / "experiment.json", lambda content: content.pop("spec"))
    for command in (
        ("report", "--output", tmp_path / "report.html"),
        ("export-study", "--output", tmp_path / "s.db"),
    ):
        done = tunegate(*command, "--state", tmp_path)
        assert done.returncode == 2
        assert f"{folder}: its status is damaged" in done.stderr


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-6, 1e6), whole=st.booleans())
def test_even_ticks_lie_within_and_are_few(low: float, width: float, *, whole: bool) -> None:
    low = round(low) if whole else low  # only ranges of whole numbers are asked for whole ones
    high = low + (math.ceil(width) if whole else width)
    ticks = even_ticks(low, high, whole=whole)
    slack = 1e-6 * max(abs(low), abs(high), width)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert len(ticks) <= TICKS + 1
    assert not whole or all(tick == round(tick) for tick in ticks)


@given(low=st.floats(1e-9, 1e6), factor=st.floats(1.0, 1e12))
def test_log_ticks_begin_and_end_with_the_range(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[-1]) == (low, max(low, low * factor))
    assert len(ticks) <= TICKS + 2


@given(space=PARAMETERS, u=st.floats(0, 1))
def test_every_value_of_every_space_lies_on_its_axis(space: Parameter, u: float) -> None:
    axis = parameter_axis(space, [])
    assert -0.05 <= axis.height(space.from_unit(u), 1) <= 1.05
    assert all(-1e-6 <= axis.at(place) <= 1 + 1e-6 for place, _ in axis.ticks)


def test_a_log_axis_puts_the_middle_of_the_decades_into_the_middle() -> None:
    axis = parameter_axis(
        parameter("double", "rate", min="0.01", max="100", distribution="logUniform"), []
    )
    assert axis.height("1.0", 1) == pytest.approx(0.5)
    assert [text for _, text in axis.ticks] == ["0.01", "0.1", "1", "10", "100"]


def test_trials_that_were_stopped_early_are_no_failures() -> None:
    rows = [
        _row(1, "Succeeded", 1.0),
        _row(2, "Succeeded", 2.0),
        _row(3, "EarlyStopped", 50.0),
        _row(4, "Failed", None),
    ]
    board = Board("tiny", "Succeeded", "", "mse", None, None, None, tuple(rows), "tiny-1", "")
    what = make_experiment("echo", "mse=1")
    seen = traces(optimisation_history(what, board), 0)
    assert (seen["stopped early"]["x"], seen["stopped early"]["y"]) == ([3], [50.0])
    assert seen["no result"]["x"] == [4]
    drawn = parallel_coordinates(what, board)
    assert traces(drawn, 0)["stopped early"]["y"][1] == 1.1  # it ends above the worst
    assert "dotted: stopped early" in drawn
    assert failed_trials(board, []).count("<td>1</td>") == 1


def _row(number: int, state: str, value: float | None) -> Row:
    return Row(
        number, f"tiny-{number}", state, {"x": f"{number / 1000}"}, value, None, None, "", {}
    )


def test_of_a_thousand_trials_the_best_are_drawn_and_it_says_so() -> None:
    rows = [_row(i, "Succeeded", float(i)) for i in range(1000)]
    board = Board("tiny", "Succeeded", "", "mse", None, None, None, tuple(rows), "tiny-0", "")
    drawn = parallel_coordinates(make_experiment("echo", "mse=1"), board)
    assert "the best 500 of 1000" in drawn
    assert len(drawn) < 300_000
    assert "tiny-499<" in drawn.replace("\\u003c", "<")
    assert "tiny-500<" not in drawn.replace("\\u003c", "<")
