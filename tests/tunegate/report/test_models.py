"""The report's numbers of the data and the models, and that its tables fit a phone."""

from pathlib import Path

import pytest
from sklearn.metrics import r2_score
from support.registry import toy_data as toy

from registry.package import ModelPackage
from trainer.dataset import Dataset
from trainer.findings import Finding
from tunegate.report.data import data_profile
from tunegate.report.decision import parameter_cell
from tunegate.report.figure import html_table
from tunegate.report.scores import (
    column_importances,
    holdout_errors,
    score_table,
)

Fitted = tuple[Dataset, ModelPackage]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("homes")
    data = toy.dataset(folder / "data", toy.homes())
    return data, toy.package(data, folder / "homes-good", toy.GOOD)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("flowers")
    data = toy.dataset(folder / "data", toy.flowers(), name="flowers")
    return data, toy.package(data, folder / "flowers-good", toy.CAREFUL)


def test_the_profile_says_what_the_data_are_and_what_was_found(homes: Fitted) -> None:
    finding = Finding("note", "a number for each row, <b>an id</b>", "dropped", ("keep it",))
    profile = data_profile(homes[0], [finding])
    rows = len(homes[0].training.y)
    assert f"{rows} for training" in profile
    assert "4: 2 numeric, 1 categorical, 1 boolean" in profile
    assert "&lt;b&gt;an id&lt;/b&gt;" in profile
    assert "dropped" in profile
    assert "Dropped by the spec</dt><dd>note" in profile
    assert "east, north, south" in profile


def test_a_profile_without_findings_has_no_table_of_them(flowers: Fitted) -> None:
    profile = data_profile(flowers[0])
    assert "Found in the table" not in profile
    assert "classes a " in profile


def test_the_holdout_is_scored_as_scikit_learn_would(homes: Fitted) -> None:
    data, package = homes
    predicted = package.predict(data.holdout.table)[:, 0]
    table = score_table(data, {"candidate": package})
    assert str(r2_score(data.holdout.y, predicted)) in table
    assert "candidate, holdout" in table
    assert "<td>RMSE</td>" in table


def test_a_classification_has_its_confusion_matrix(flowers: Fitted) -> None:
    data, package = flowers
    table = holdout_errors(data, {"candidate": package})
    assert f"The candidate on the holdout, {len(data.holdout.y)} rows" in table
    assert table.count('class="right"') == 3
    assert "accuracy" in score_table(data, {"candidate": package})


def test_importances_are_drawn_where_there_are_any(homes: Fitted) -> None:
    manifest = homes[1].manifest.replace(importances=())
    assert column_importances(manifest) == ""
    found = [{"column": "size", "mean": 2.0, "low": 1.0, "high": 4.0}]
    fields = {**manifest.to_dict(), "importances": found}
    drawn = column_importances(type(manifest).checked(fields))
    assert '"array":[2.0],"arrayminus":[1.0]' in drawn
    told, _, plotted = drawn.partition("</p>")  # beside the figure: a title of an axis never wraps
    assert "What shuffling a column costs in mean squared error, with 90 % intervals." in told
    assert "shuffling" not in plotted


def test_long_numbers_are_rounded_and_the_exact_ones_are_a_pointer_away() -> None:
    table = html_table(("", "candidate"), [("max_features", parameter_cell(0.46773195656522215))])
    assert '<td title="0.46773195656522215">0.4677</td>' in table
    assert table.startswith('<div class="box">')
    assert parameter_cell(0.35).title == ""
    assert parameter_cell(None).text == "none"


def test_the_report_has_the_pages_look(tmp_path: Path) -> None:
    from tunegate.report.look import whole_page

    page = whole_page("<title>", "houses, run of today", "<p>body</p>")
    assert "<h1>&lt;title&gt;</h1>" in page
    look = (Path(__file__).parents[3] / "api" / "static" / "look.css").read_text()
    assert look in page
