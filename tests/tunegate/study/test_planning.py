"""What is wrong with a search is refused before its first trial; of a contradiction both sides."""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.cli import ROOT, small_experiment, tunegate
from support.katib.experiments import shell_command
from support.katib.runs import runnable_document, write_experiment

from katib.experiment import Experiment, read_experiment
from trainer.dataset import load_dataset
from trainer.errors import DataError, ParameterError
from trainer.spec import load_spec
from tunegate.errors import UsageError
from tunegate.settings import load_settings
from tunegate.shipped import shipped_experiment
from tunegate.study.checked_plan import PlannedSearch
from tunegate.study.planning import prepare_search
from tunegate.study.starting import TableOptions
from tunegate.study.tuning import tune


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a table and its spec, and without settings."""
    for name in ("flats.csv", "flats.toml"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(source: object = None, data: str | None = None, **table: str) -> PlannedSearch:
    settings = load_settings(data=data)
    return prepare_search(source, settings, TableOptions(**table))


def test_the_experiments_own_data_are_the_truth(here: Path) -> None:
    planned = plan(small_experiment(here, data="flats.toml"))
    assert planned.workspace.model == "flats"
    assert planned.data.data == str(here / "flats.toml")


def test_data_that_agree_with_the_experiment_are_taken_in_any_spelling(here: Path) -> None:
    file = small_experiment(here, data="flats.toml")
    for spelling in ("flats.toml", "./flats.toml", str(here / "flats.toml")):
        assert plan(file, spelling).workspace.model == "flats"


@pytest.mark.parametrize("command", ["run", "tune"])
def test_a_contradiction_is_refused_before_the_first_trial(here: Path, command: str) -> None:
    file = small_experiment(here, data="flats.toml")
    done = tunegate(command, file, "--data", "iris", cwd=here)
    assert done.returncode == 2
    assert f"its trials learn from {here}/flats.toml, the settings name iris" in done.stderr
    assert "leave --data out" in done.stderr
    assert not (here / ".tunegate" / "experiments").exists()


def test_a_database_and_a_query_are_a_table(here: Path) -> None:
    frame = pd.read_csv("flats.csv")
    frame.to_sql("flats", sqlite3.connect("homes.db"), index=False)
    query = "select * from flats where rooms > 1"
    planned = plan("sqlite:///homes.db", target="rent", query=query)
    assert planned.workspace.model == "homes"
    rows = load_dataset(planned.data.data)
    assert len(rows.training.y) + len(rows.holdout.y) == (frame["rooms"] > 1).sum()


def test_a_query_is_for_a_database_alone(here: Path) -> None:
    with pytest.raises(DataError, match="not a database's address"):
        plan("flats.csv", target="rent", query="select 1")
    with pytest.raises(UsageError, match="a DataFrame takes no query"):
        plan(pd.read_csv("flats.csv"), target="rent", query="select 1")
    with pytest.raises(UsageError, match="only a table takes query"):
        plan("flats.toml", query="select 1")


@pytest.mark.parametrize("source", ["flats.csv", "flats.toml"])
def test_a_column_is_included_where_an_experiment_is_made(source: str) -> None:
    target = "rent" if source == "flats.csv" else ""
    planned = prepare_search(source, load_settings(include=("id",)), TableOptions(target))
    assert planned.data.include == planned.program.include == ("id",)
    names = [column.name for column in load_dataset(planned.data.data, include=("id",)).columns]
    assert "id" in names


def test_a_texts_words_are_learned_where_it_is_included(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"number {i} is a {'cheap' if i % 3 else 'dear'} thing" for i in range(200)]
    frame = pd.DataFrame({"words": words, "size": np.arange(200) % 7, "price": 1.5})
    frame["price"] += np.arange(200) % 3
    frame.to_csv(here / "things.csv", index=False)
    prepare_search("things.csv", load_settings(), TableOptions("price"))
    assert "--include words learns from it" in capsys.readouterr().err
    planned = prepare_search("things.csv", load_settings(include=("words",)), TableOptions("price"))
    columns = load_dataset(planned.data.data, include=("words",)).columns
    assert {column.name: column.kind for column in columns}["words"] == "text"


def test_a_frame_that_a_notebook_holds_is_refused_in_words(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv("flats.csv")
    with pytest.raises(DataError, match="a dict is no table"):
        plan({"size": [1], "price": [2]}, target="price")
    with pytest.raises(DataError, match="no column 5"):
        tune(frame, target=5)
    with pytest.raises(DataError, match="no column Rent") as caught:
        plan(frame, target="Rent")
    assert caught.value.hint.startswith("did you mean rent? columns: id, rent")
    twice = pd.concat([frame, frame[["rooms"]]], axis="columns")
    assert plan(twice, target="rent").workspace.model == "rent"
    assert 'the later ones are called "rooms.1"' in capsys.readouterr().err
    with pytest.raises(DataError, match="several columns are called rooms"):
        plan(twice, target="rooms")


def test_an_included_column_is_named_once_too(here: Path) -> None:
    file = small_experiment(here, data="flats.toml")
    with pytest.raises(UsageError, match="include no dropped column, the settings name id"):
        prepare_search(file, load_settings(include=("id",)))


@pytest.mark.parametrize("command", ["run", "tune"])
def test_data_that_do_not_exist_are_refused_before_the_first_trial(
    here: Path, command: str
) -> None:
    file = small_experiment(here, data="nothere.toml")
    done = tunegate(command, file, cwd=here)
    assert done.returncode == 2
    assert "nothere.toml: No such file" in done.stderr
    assert not (here / ".tunegate" / "experiments").exists()


def test_a_spec_whose_table_does_not_exist_is_refused_too(here: Path) -> None:
    file = small_experiment(here, data="flats.toml")
    (here / "flats.csv").unlink()
    with pytest.raises(DataError, match=r"flats\.csv: no such file"):
        plan(file)


def test_cells_that_every_trial_would_refuse_are_refused_before_the_first(here: Path) -> None:
    rents = "".join(f"{place * 37 % 53};1,{place:03} €\n" for place in range(100))
    (here / "rents.csv").write_text("size;rent\n" + rents)
    done = tunegate("run", "rents.csv", "--target", "rent", cwd=here)
    assert done.returncode == 2
    assert "no cell tells whether its comma is a decimal mark" in done.stderr
    assert not (here / ".tunegate" / "experiments").exists()


def test_a_column_to_include_that_does_not_exist_is_refused_before_the_first_trial(
    here: Path,
) -> None:
    command = ("python", "-m", "trainer", "--data=iris", "--include", "height")
    with pytest.raises(DataError, match="height"):
        plan(runnable_document(*command))


@pytest.mark.parametrize(
    ("command", "env"),
    [
        (("python", "-m", "trainer", "--data=flats.toml"), {}),
        (("python", "-m", "trainer", "--data", "flats.toml"), {}),
        (("python", "-m", "trainer", "--data=$(DATA)"), {"DATA": "flats.toml"}),
        (shell_command("python -m trainer --data $DATA"), {"DATA": "flats.toml"}),
        (shell_command('cd . && python -m trainer --data="${DATA}"; true'), {"DATA": "flats.toml"}),
        (shell_command("./train --data flats.toml"), {}),
    ],
)
def test_the_trials_command_names_the_data_in_any_of_its_forms(
    here: Path, command: tuple[str, ...], env: dict[str, str]
) -> None:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    document = runnable_document(*command)
    template = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
    container = template["spec"]["containers"][0]
    container["env"] = [*variables, *container["env"]]
    assert plan(document).workspace.model == "flats"


def test_a_table_or_a_spec_is_searched_with_the_learner_that_is_named(here: Path) -> None:
    for source in ("flats.toml", load_spec("flats.toml")):
        assert plan(source, model="ridge").program.model == "ridge"
    assert plan("flats.csv", target="rent", model="lasso").program.model == "lasso"
    assert plan("flats.toml").program.model == "random_forest"
    boston = plan(model="ridge")
    assert (boston.program.model, boston.workspace.model) == ("ridge", "boston")
    assert plan(data="flats.toml", model="ridge").program.data == str(here / "flats.toml")


def test_an_experiment_names_its_own_learner(here: Path) -> None:
    file = small_experiment(here)
    for source in (file, read_experiment(file)):
        with pytest.raises(UsageError, match=r"--model ridge: .* whose command names its learner"):
            plan(source, model="ridge")


def test_a_learner_of_another_task_is_refused_before_the_first_trial() -> None:
    with pytest.raises(ParameterError, match="it is for classification, not for regression"):
        plan("flats.toml", model="logistic")


def test_the_path_in_a_container_is_that_of_the_mount(here: Path) -> None:
    document = runnable_document("python", "-m", "trainer", "--data=/data/flats.toml")
    template = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
    pod = template["spec"]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "tables"}}]
    settings = load_settings(mounts={"tables": here})
    assert prepare_search(document, settings).data.data == str(here / "flats.toml")


def test_a_program_that_makes_no_package_is_announced(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(runnable_document(*shell_command("echo mse=${trialParameters.x}")))
    assert "its trials write no model packages" in capsys.readouterr().err
    plan(small_experiment(here))
    assert "no model packages" not in capsys.readouterr().err


def test_run_ends_after_the_search_of_a_program_that_makes_no_package(here: Path) -> None:
    document = runnable_document(*shell_command("echo mse=${trialParameters.x}"))
    done = tunegate("run", write_experiment(here, document), cwd=here)
    assert done.returncode == 12
    assert "error: the search has ended, best trial tiny-" in done.stderr
    assert "nothing to judge or to serve" in done.stderr
    assert "starting the server" not in done.stderr
    report = tunegate("report", cwd=here)
    assert report.returncode == 0, report.stderr


def test_a_failure_is_shown_once(here: Path) -> None:
    one = {"maxTrialCount": 1, "parallelTrialCount": 1}
    document = runnable_document(*shell_command("echo oh; exit 3"), **one)
    done = tunegate("tune", write_experiment(here, document), cwd=here)
    assert sum("Failed: " in line for line in done.stderr.splitlines()) == 1
    assert "    oh" in done.stderr


def test_the_shipped_experiment_is_found_from_anywhere(here: Path) -> None:
    assert read_experiment(shipped_experiment()).name == "boston-forest"
    assert plan().workspace.model == "boston"


def test_a_spec_alone_gets_an_experiment_of_its_own(here: Path) -> None:
    for planned in (plan("flats.toml"), plan(data="flats.toml"), plan(load_spec("flats.toml"))):
        assert planned.experiment.name == "flats-forest"
        assert planned.experiment.metric == "mse"
        assert planned.workspace.model == "flats"
        assert planned.program.writes_package
    assert plan("iris").experiment.metric == "log_loss"


def test_a_table_alone_gets_a_spec_and_an_experiment(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = plan("flats.csv", target="rent")
    assert planned.workspace.spec.drop == ("id",)
    assert planned.workspace.spec.source.endswith("flats.csv")
    assert "dropped id: it counts the rows" in capsys.readouterr().err
    folder = Path(".tunegate/tables/flats")
    assert {path.name for path in folder.iterdir()} == {"flats.toml", "flats-experiment.yaml"}


def test_how_the_data_are_read_is_said_before_the_first_trial(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("flats.csv").read_text()
    Path("flats.csv").write_text(text.replace(",", ";"))
    for source, table in (("flats.csv", {"target": "rent"}), ("flats.toml", {})):
        plan(source, **table)
        said = capsys.readouterr().err
        assert said.count("note: flats.csv is read with separator ';'") == 1


def test_the_spec_to_decide_in_is_named(here: Path) -> None:
    text = Path("flats.csv").read_text()
    Path("flats.csv").write_text(text.replace(",65.6,", ",inf,"))
    with pytest.raises(DataError, match="which is not finite") as refused:
        plan("flats.csv", target="rent")
    spec = here / ".tunegate/tables/flats/flats.toml"
    assert refused.value.hint.endswith(
        f"; the spec is {spec}, to be run by its name: tunegate run {spec}"
    )
    with pytest.raises(DataError) as refused:
        plan("flats.toml")
    assert refused.value.hint.endswith(f"; the spec is {here}/flats.toml")


def test_no_trials_are_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="0 trials"):
        prepare_search("flats.csv", load_settings(), TableOptions("rent"), trials=0)


def test_a_file_that_somebody_has_changed_is_kept(here: Path) -> None:
    plan("flats.csv", target="rent")
    file = Path(".tunegate/tables/flats/flats.toml")
    file.write_text(file.read_text() + "# mine\n")
    plan("flats.csv", target="rent")
    assert "# mine" in file.with_name("flats.toml.old").read_text()


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("flats.csv", {}, "which column is to be predicted"),
        ("nothere.csv", {"target": "rent"}, "nothere.csv: no such file"),
        ("flats.toml", {"target": "rent"}, "only a table takes target, and this is flats.toml"),
        ("flats.csv", {"target": "rent", "data": "iris"}, "the settings name other data: iris"),
        ("flats.toml", {"data": "iris"}, "two data sets are named: flats.toml and"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    source: object, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        plan(source, **options)


def test_a_table_without_a_target_shows_its_columns() -> None:
    with pytest.raises(UsageError, match="which column is to be predicted") as caught:
        plan("flats.csv")
    names = ", ".join(Path("flats.csv").read_text().splitlines()[0].split(","))
    assert caught.value.hint.endswith(f"columns: {names}")


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DataError, match="a int is no table"):
        plan(42, target="rent")


def test_a_table_of_json_objects_is_no_experiment(here: Path) -> None:
    file = here / "rows.json"
    file.write_text(json.dumps([{"a": 1}]))
    with pytest.raises(UsageError, match="which column"):
        plan(str(file))


def test_another_number_of_trials_lowers_what_depends_on_it(here: Path) -> None:
    planned = prepare_search(small_experiment(here, parallel=4), load_settings(), trials=1)
    spec = planned.experiment.spec
    assert (spec["maxTrialCount"], spec["parallelTrialCount"]) == (1, 1)


def test_an_experiment_survives_the_way_through_yaml(here: Path) -> None:
    first = Experiment.from_yaml(small_experiment(here))
    second = Experiment.from_yaml(first.to_yaml(here / "again.yaml"))
    assert second == first == Experiment.from_yaml("again.yaml")
