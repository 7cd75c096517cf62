"""A search of a table or of a data set spec that comes without an Experiment.

What is made lies below `<state>/tables/<name>/`: the spec and the Experiment, to look at and to
copy, and the table if it was a DataFrame.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from katib.experiment import Experiment, read_experiment
from trainer.profile import profile_table
from trainer.spec import DataSetSpec
from trainer.tables import frame_to_arrow, read_table
from trainer.tables.names import describe_names, refuse_second_target
from tunegate.console import say
from tunegate.errors import UsageError
from tunegate.settings import Settings
from tunegate.starters import (
    Starter,
    choose_learners,
    name_of_table,
    no_target,
    render_experiment,
    start_from_table,
)
from tunegate.starters.summary import summary_lines
from tunegate.study.frames import keep_frame
from tunegate.study.spec_text import spec_text

TABLES = "tables"  # below the state folder


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What the user states of a table; what is empty is found out.

    Attributes:
        target: the column to predict.
        task: regression or classification.
        name: the model's name; made from the file's.
        model: what the search chooses among: `all` or learners' names; the random forest if empty.
        query: the SQL whose rows are the table, of a database.
        trials: how many trials there will be, for the summary.
    """

    target: str = ""
    task: str = ""
    name: str = ""
    model: str = ""
    query: str = ""
    trials: int | None = None

    def given(self) -> list[str]:
        """Return the names of those that only a table takes and that were given."""
        return [name for name in ("target", "task", "name", "query") if getattr(self, name)]


def search_of_table(source: object, settings: Settings, table: TableOptions) -> Experiment:
    """Profile a table, write its spec and an Experiment below the state folder, and read that.

    Args:
        source: the path or address of a table, or a DataFrame.
        settings: they name the state folder.
        table: what the user states of it.

    Raises:
        UsageError: when no target was given.
        DataError: when the table cannot be used.
    """
    if isinstance(source, str):
        path = source
        name = table.name or name_of_table(source)
    else:
        if table.query:
            raise UsageError("a DataFrame takes no query", hint="name a database, or leave it out")
        name = table.name or name_of_table(table.target)
        columns = _check_names(source, frame_to_arrow(source).column_names, table.target)
        if not table.target:
            raise no_target(f"columns: {', '.join(columns)}")
    folder = settings.state / TABLES / name
    _make_folder(folder)  # the table's path in the spec leads through it
    if not isinstance(source, str):
        path = str(keep_frame(source, folder))
    starter = start_from_table(
        path,
        table.target,
        task=table.task,
        name=name,
        query=table.query,
        model=table.model,
        include=settings.include,
        folder=folder,
    )
    for sentence in summary_lines(starter.profile, trials=table.trials, learners=starter.learners):
        say(f"{name}: {sentence}")
    _keep_starter(starter)
    return read_experiment(starter.experiment_path)


def _check_names(frame: object, names: list[str], target: str) -> list[str]:
    """Say which columns of a DataFrame got other names; return the names.

    Raises:
        DataError: when several are called as the target is.
    """
    written = [str(name) for name in getattr(frame, "columns", [])]
    refuse_second_target(written, target, "the DataFrame")
    if len(set(written)) < len(written):
        for note in describe_names(written, names[-len(written) :]):
            say(f"note: {note}")
    return names


def search_of_spec(
    spec: DataSetSpec, settings: Settings, *, name: str = "", model: str = ""
) -> Experiment:
    """Write an Experiment for a data set spec below the state folder, and read it.

    Args:
        spec: the spec.
        settings: they name the state folder.
        name: how the trials name the spec; if empty, it is written to a file.
        model: what the search chooses among: `all` or learners' names; the random forest if empty.

    Raises:
        DataError: when its table cannot be read, or there is nothing to learn from.
        ParameterError: when there is no such learner, or it is not for the spec's task.
        UsageError: when a learner cannot be used.
    """
    folder = settings.state / TABLES / spec.name
    if not name:
        path = folder / f"{spec.name}.toml"
        _write(path, spec_text(spec))
        name = str(path)
    frame = read_table(spec.including(settings.include)).frame
    unread = [column for column in frame.columns if not _is_read(str(column), spec, settings)]
    profile = profile_table(frame.drop(columns=unread), target=spec.target, task=spec.task)
    target = replace(profile.target, metric=spec.metric)
    choice = choose_learners(model, profile)
    written = render_experiment(
        replace(profile, target=target),
        name,
        name=spec.name,
        learners=choice,
        include=settings.include,
    )
    experiment = folder / f"{spec.name}-experiment.yaml"
    _write(experiment, written)
    say(f"{spec.name}: no Experiment was named; searching by {experiment}")
    return read_experiment(experiment)


def _keep_starter(starter: Starter) -> None:
    """Write the spec and the Experiment; a file that somebody has changed is kept as another."""
    _write(starter.spec_path, starter.spec)
    _write(starter.experiment_path, starter.experiment)
    say(f"written: {starter.spec_path}, {starter.experiment_path}; `tunegate run` takes them, too")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder}: {error.strerror}", hint="choose another folder with --state"
        ) from error


def _write(path: Path, text: str) -> None:
    _make_folder(path.parent)
    try:
        if path.exists() and path.read_text(encoding="utf-8") != text:
            old = path.with_name(f"{path.name}.old")
            path.replace(old)
            say(f"note: {path} is made again; what it was is {old}")
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", hint="choose another folder with --state"
        ) from error


def _is_read(column: str, spec: DataSetSpec, settings: Settings) -> bool:
    if column == spec.target or column in settings.include:
        return True
    if spec.features and column not in spec.features:
        return False
    return column not in spec.drop
