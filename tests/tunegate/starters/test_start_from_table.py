"""A spec and an Experiment for any table: valid, explained, and accepted as they are."""

import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from support.tables import FAMILIES, MadeTable

from katib.experiment import read_experiment
from katib.lint import lint_text
from katib.search.portfolio import BOOSTERS, portfolio_points
from katib.search.portfolio import FAMILIES as FAMILY_POINTS
from trainer import DataError, TrainerError
from trainer.__main__ import make_parser
from trainer.hyperparameters import parse_hyperparameters
from trainer.learners import LEARNERS
from trainer.spec import load_spec
from tunegate.errors import UsageError
from tunegate.starters import Starter, start_from_table, write_starter
from tunegate.starters.summary import summary_lines

TABLES = [make(400, np.random.default_rng(3)) for make in FAMILIES]
EACH = pytest.mark.parametrize("made", TABLES, ids=lambda made: made.name)


def started(made: MadeTable, folder: Path, *, task: str = "") -> Starter:
    made.frame.to_csv(folder / f"{made.name}.csv", index=False)
    table = folder / f"{made.name}.csv"
    return start_from_table(table, made.target, task=task, folder=folder)


@EACH
def test_the_spec_says_what_was_decided(made: MadeTable, tmp_path: Path) -> None:
    starter = started(made, tmp_path)
    write_starter(starter)
    spec = load_spec(str(starter.spec_path))
    assert (spec.name, spec.source, spec.target) == (made.name, f"{made.name}.csv", made.target)
    assert spec.task == made.task
    assert set(spec.drop) == made.dropped
    for column in (*made.dropped, *made.suspicious):
        assert f'"{column}"' in starter.spec
    assert max(map(len, starter.spec.splitlines())) <= 130


@EACH
def test_the_experiment_has_nothing_that_lint_finds(made: MadeTable, tmp_path: Path) -> None:
    starter = started(made, tmp_path)
    assert [str(f) for f in lint_text(starter.experiment, "experiment.yaml")] == []


@EACH
def test_each_decision_is_said_in_few_lines(made: MadeTable, tmp_path: Path) -> None:
    lines = summary_lines(started(made, tmp_path).profile)
    assert lines[0].startswith(f"predict {made.target}: a {made.task}, ")
    said = "\n".join(lines)
    for column in made.dropped:
        assert f"dropped {column}: " in said
    for column in made.suspicious:
        assert f"look at {column}: " in said


def houses(rows: int = 100) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    size = rng.uniform(20, 200, rows).round(1)
    return pd.DataFrame({"size": size, "price": (3 * size + rng.normal(0, 9, rows)).round(2)})


def houses_file(folder: Path, frame: pd.DataFrame, name: str = "houses.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / name, index=False)
    return folder / name


def test_the_experiment_names_the_spec_and_the_metric(tmp_path: Path) -> None:
    starter = start_from_table(houses_file(tmp_path, houses()), "price", folder=tmp_path)
    document = yaml.safe_load(starter.experiment)
    command = _command(document)
    assert f"--data={tmp_path}/houses.toml" in command
    assert document["metadata"]["name"] == "houses-forest"
    assert document["spec"]["objective"]["objectiveMetricName"] == "mse"
    assert document["spec"]["objective"]["type"] == "minimize"
    flags = {word.split("=")[0] for word in command if word.startswith("--")}
    searched = {f"--{p['name'].replace('_', '-')}" for p in document["spec"]["parameters"]}
    assert searched < flags


@pytest.mark.parametrize("model", LEARNERS)
def test_each_learner_gets_the_search_that_its_table_states(tmp_path: Path, model: str) -> None:
    frame = houses()
    if "regression" not in LEARNERS[model].classes:
        frame["price"] = np.where(frame["price"] > 300, "dear", "cheap")
    table = houses_file(tmp_path, frame)
    starter = start_from_table(table, "price", model=model, folder=tmp_path)
    assert [str(f) for f in lint_text(starter.experiment, "experiment.yaml")] == []
    document = yaml.safe_load(starter.experiment)
    command = _command(document)
    assert (f"--model={model}" in command) == (model != "random_forest")
    searched = {parameter["name"] for parameter in document["spec"]["parameters"]}
    assert searched >= set(LEARNERS[model].parameters.searched())
    flags = {word.split("=")[0] for word in command if word.startswith("--")}
    assert {f"--{name.replace('_', '-')}" for name in searched} < flags
    assert document["metadata"]["name"].startswith("houses-")
    assert len(document["metadata"]["name"]) < 48
    (said,) = (
        line
        for line in summary_lines(starter.profile, learners=starter.learners)
        if "trials" in line
    )
    assert model in said or model == "random_forest"


def test_a_penalty_is_searched_on_a_logarithmic_scale(tmp_path: Path) -> None:
    starter = start_from_table(
        houses_file(tmp_path, houses()), "price", model="elastic_net", folder=tmp_path
    )
    document = yaml.safe_load(starter.experiment)
    assert document["metadata"]["name"] == "houses-elastic-net"
    spaces = {each["name"]: each["feasibleSpace"] for each in document["spec"]["parameters"]}
    assert spaces == {
        "alpha": {"min": "0.0001", "max": "1.0", "distribution": "logUniform"},
        "l1_ratio": {"min": "0.05", "max": "1.0"},
    }


@pytest.mark.parametrize(
    ("model", "message"), [("logistic", "not for regression"), ("rigde", "no learner rigde")]
)
def test_a_learner_that_does_not_fit_is_refused(tmp_path: Path, model: str, message: str) -> None:
    table = houses_file(tmp_path, houses())
    with pytest.raises(TrainerError, match=message):
        start_from_table(table, "price", model=model, folder=tmp_path)


def test_a_criterion_for_counts_is_searched_only_where_no_target_is_negative(
    tmp_path: Path,
) -> None:
    positive = start_from_table(houses_file(tmp_path, houses()), "price", folder=tmp_path)
    assert "poisson" in positive.experiment
    below = houses().assign(price=lambda h: h["price"] - 300)
    other = start_from_table(houses_file(tmp_path, below), "price", folder=tmp_path)
    assert "poisson" not in other.experiment


def test_a_search_over_learners_names_those_that_take_the_table(tmp_path: Path) -> None:
    gaps = houses().assign(size=lambda h: h["size"].where(h["size"] > 50))
    table = houses_file(tmp_path, gaps)
    starter = start_from_table(table, "price", model="all", folder=tmp_path)
    document = yaml.safe_load(starter.experiment)
    model, *others = document["spec"]["parameters"]
    assert model["name"] == "model"
    learners = model["feasibleSpace"]["list"]
    assert learners == list(starter.learners.names)
    assert {"random_forest", "hist_gradient_boosting"} < set(learners)
    assert "gradient_boosting" not in learners
    assert all(any(p["name"].startswith(f"{each}_") for each in learners) for p in others)
    assert "left out gradient_boosting: it takes no missing values" in summary_lines(
        starter.profile, learners=starter.learners
    )
    command = _command(document)
    assert "--model=${trialParameters.model}" in command
    chosen = [word.replace("${trialParameters.model}", "xgboost") for word in command[3:]]
    make_parser("train").parse_args(chosen)  # the trainer knows every flag
    assert [str(f) for f in lint_text(starter.experiment, "experiment.yaml")] == []


@pytest.mark.parametrize("family", FAMILY_POINTS)
def test_the_point_that_a_family_begins_with_is_one_of_its_learners(family: str) -> None:
    point = parse_hyperparameters(family, dict(FAMILY_POINTS[family])).model_dump()
    defaults = parse_hyperparameters(family, {}).model_dump()
    if family == "gradient_boosting":
        assert point == defaults


@pytest.mark.parametrize(
    ("booster", "point"), [(name, point) for name in BOOSTERS for point in BOOSTERS[name]]
)
def test_a_search_of_a_booster_begins_with_points_of_the_space_that_is_written(
    tmp_path: Path, booster: str, point: Mapping[str, float]
) -> None:
    table = houses_file(tmp_path, houses())
    starter = start_from_table(table, "price", model=booster, folder=tmp_path)
    write_starter(starter)
    experiment = read_experiment(starter.experiment_path)
    begun = portfolio_points(experiment.parameters, {})[BOOSTERS[booster].index(point)]
    assert {name: float(value) for name, value in begun.items()} == pytest.approx(point)


def test_a_search_of_one_other_learner_has_its_own_space(tmp_path: Path) -> None:
    table = houses_file(tmp_path, houses())
    starter = start_from_table(table, "price", model="hist_gradient_boosting", folder=tmp_path)
    document = yaml.safe_load(starter.experiment)
    assert document["metadata"]["name"] == "houses-hist-gradient-boosting"
    assert "--model=hist_gradient_boosting" in _command(document)
    assert "learning_rate" in {p["name"] for p in document["spec"]["parameters"]}
    assert [str(f) for f in lint_text(starter.experiment, "experiment.yaml")] == []


@pytest.mark.parametrize(
    ("learners", "words"),
    [
        ("forest", "no learner forest"),
        ("random_forest,gradient_boosting", "gradient_boosting cannot be used: it takes no"),
    ],
)
def test_learners_that_cannot_be_used_are_refused(
    learners: str, words: str, tmp_path: Path
) -> None:
    gaps = houses().assign(size=lambda h: h["size"].where(h["size"] > 50))
    table = houses_file(tmp_path, gaps)
    with pytest.raises((TrainerError, UsageError), match=words):
        start_from_table(table, "price", model=learners, folder=tmp_path)


def test_larger_tables_get_a_smaller_search(tmp_path: Path) -> None:
    small = start_from_table(houses_file(tmp_path, houses()), "price", folder=tmp_path)
    wide = pd.concat([houses(30_000), *(houses(30_000)["size"] + i for i in range(20))], axis=1)
    wide.columns = ["size", "price", *(f"x{i}" for i in range(20))]
    large = start_from_table(houses_file(tmp_path, wide, "wide.csv"), "price", folder=tmp_path)
    trials = [yaml.safe_load(s.experiment)["spec"]["maxTrialCount"] for s in (small, large)]
    assert trials[0] > trials[1]


def test_the_table_is_found_from_the_spec_wherever_it_lies(tmp_path: Path) -> None:
    table = houses_file(tmp_path / "data", houses())
    starter = start_from_table(table, "price", folder=tmp_path / "work" / "deep")
    write_starter(starter)
    assert tomllib.loads(starter.spec)["source"] == "../../data/houses.csv"
    assert (starter.spec_path.parent / tomllib.loads(starter.spec)["source"]).exists()


@pytest.mark.parametrize(
    ("file", "name"),
    [("Häuser 2026 (neu).csv", "hauser-2026-neu"), ("_.csv", "table"), ("a.b.csv", "a")],
)
def test_a_name_is_made_of_the_files(tmp_path: Path, file: str, name: str) -> None:
    starter = start_from_table(houses_file(tmp_path, houses(), file), "price", folder=tmp_path)
    assert starter.spec_path == tmp_path / f"{name}.toml"
    write_starter(starter)
    assert load_spec(str(starter.spec_path)).source == file


def test_names_with_every_sign_are_quoted(tmp_path: Path) -> None:
    odd = 'a "b" # [c]\\d é'
    frame = houses().rename(columns={"price": odd}).assign(**{"id\n2": range(100)})
    starter = start_from_table(houses_file(tmp_path, frame), odd, folder=tmp_path)
    document = tomllib.loads(starter.spec)
    assert document["target"] == odd
    assert document["drop"] == ["id\n2"]
    assert [str(f) for f in lint_text(starter.experiment, "experiment.yaml")] == []


def test_nothing_is_replaced_unless_forced(tmp_path: Path) -> None:
    starter = start_from_table(houses_file(tmp_path, houses()), "price", folder=tmp_path)
    starter.spec_path.write_text("mine")
    with pytest.raises(UsageError, match=r"houses\.toml: exists already") as caught:
        write_starter(starter)
    assert "--force" in caught.value.hint
    assert not starter.experiment_path.exists()
    write_starter(starter, force=True)
    assert starter.spec_path.read_text() == starter.spec


def test_a_stated_task_overrules_the_rule(tmp_path: Path) -> None:
    frame = houses().assign(stars=[1, 2, 3, 4] * 25)
    table = houses_file(tmp_path, frame)
    assert start_from_table(table, "stars").profile.target.task == "classification"
    stated = start_from_table(table, "stars", task="regression").profile.target
    assert (stated.task, stated.reason) == ("regression", "as stated")


def test_what_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    table = houses_file(tmp_path, houses().assign(same=1, empty=np.nan))
    with pytest.raises(DataError, match="target same: says '1' in every row"):
        start_from_table(table, "same")
    with pytest.raises(DataError, match="target empty: is empty"):
        start_from_table(table, "empty")
    with pytest.raises(DataError, match="no column nothing"):
        start_from_table(table, "nothing")


def _command(document: dict[str, object]) -> list[str]:
    spec = document["spec"]
    assert isinstance(spec, dict)
    pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    command: list[str] = pod["containers"][0]["command"]
    return command


def test_a_path_is_quoted_for_the_shell(tmp_path: Path) -> None:
    """Katib runs the joined words in a shell."""
    folder = tmp_path / "mine, the first"
    folder.mkdir()
    starter = started(TABLES[0], folder)
    assert [str(f) for f in lint_text(starter.experiment, "experiment.yaml")] == []
    spec = yaml.safe_load(starter.experiment)["spec"]["trialTemplate"]["trialSpec"]
    command = spec["spec"]["template"]["spec"]["containers"][0]["command"]
    flag = next(word for word in command if word.startswith("--data="))
    assert shlex.split(flag) == [f"--data={starter.spec_path}"]
