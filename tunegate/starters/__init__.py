"""What a table begins with: a spec and an Experiment, made from the table's profile."""

import json
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.errors import DataError
from trainer.profile import TASKS, TableProfile, profile_table
from trainer.spec import ColumnSpec, DataSetSpec, ReadSpec
from trainer.tables import read_table
from tunegate.errors import UsageError
from tunegate.starters.experiment_yaml import render_experiment
from tunegate.starters.learner_choice import LearnerChoice, choose_learners
from tunegate.starters.spec_toml import render_spec

__all__ = [
    "Starter",
    "choose_learners",
    "name_of_table",
    "render_experiment",
    "render_spec",
    "start_from_table",
    "write_starter",
]

LONGEST_NAME = 63
SQLITE_FILE = "sqlite:///"  # before a path, which may be relative
IN_A_SPEC = "into the spec"  # hints say so of what only a spec can state

NO_COLUMN = "?"  # a target that no table has


@dataclass(frozen=True, slots=True)
class Starter:
    """A spec and an Experiment for a table, not yet written.

    Attributes:
        spec_path: where the spec belongs.
        experiment_path: where the Experiment belongs.
        profile: what was found in the table.
        notes: how the table was read, a sentence each.
        spec: the spec's TOML.
        experiment: the Experiment's YAML.
        learners: what its search chooses among.
    """

    spec_path: Path
    experiment_path: Path
    profile: TableProfile
    notes: tuple[str, ...]
    spec: str
    experiment: str
    learners: LearnerChoice


def start_from_table(  # noqa: PLR0913 - what one table may be told, by keyword
    table: str | Path,
    target: str,
    *,
    task: str = "",
    name: str = "",
    query: str = "",
    model: str = "",
    include: Sequence[str] = (),
    folder: Path = Path(),
) -> Starter:
    """Profile a table and make what a search of it needs; writes nothing.

    Args:
        table: the path or the address of any table that can be read.
        target: the column to predict.
        task: "regression" or "classification"; by a rule where empty.
        name: of the data set and its model; the table's where empty.
        query: the SQL whose rows are the table, where `table` is a database's address.
        model: what the search chooses among, see `choose_learners`.
        include: columns to learn from that a rule drops.
        folder: where spec and Experiment belong.

    Raises:
        DataError: when the table cannot be read, or there is nothing to learn from it.
        UsageError: when there is no target, the name is not allowed, or a learner cannot be used.
    """
    chosen = name or name_of_table(str(table))
    source = _source_in(str(table), folder)
    if not target:
        raise no_target(_columns_hint(_reading_spec(chosen, str(table), NO_COLUMN, query)))
    reading = _reading_spec(chosen, str(table), target, query)
    try:
        profile, notes = _profile_source(reading, task)
    except DataError as error:
        if IN_A_SPEC not in error.hint:
            raise
        hint = f"{error.hint}; {_first_lines(reading, task)}"
        raise DataError(str(error), hint=hint) from error
    choice = choose_learners(model, profile)
    spec_path = folder / f"{chosen}.toml"
    return Starter(
        spec_path=spec_path,
        experiment_path=folder / f"{chosen}-experiment.yaml",
        profile=profile,
        notes=notes,
        spec=render_spec(profile, name=chosen, source=source, query=query),
        experiment=render_experiment(
            profile, str(spec_path), name=chosen, learners=choice, include=include
        ),
        learners=choice,
    )


def no_target(columns: str) -> UsageError:
    """Return the error of a table whose target nobody has named; `columns` lists its columns."""
    hint = "name it: `target` in Python, --target on the command line"
    return UsageError("which column is to be predicted?", hint=f"{hint}; {columns}")


def _columns_hint(spec: DataSetSpec) -> str:
    """List a table's columns, as the refusal of a column that it does not have does.

    Raises:
        DataError: when the table cannot be read.
    """
    try:
        names = read_table(spec).frame.columns
    except DataError as error:
        if "columns: " not in error.hint:
            raise
        return error.hint
    return f"columns: {', '.join(map(str, names))}"


def _first_lines(spec: DataSetSpec, task: str) -> str:
    """Say how a spec begins that states what the table alone does not tell."""
    name = spec.name
    fields = {
        "name": name,
        # An address may hold a password.
        "source": "(the address)" if "://" in spec.source else spec.source,
        "target": spec.target,
        "task": task or TASKS[0],
        **({"read.query": spec.read.query} if spec.read.query else {}),
    }
    lines = [f"{field} = {json.dumps(text, ensure_ascii=False)}" for field, text in fields.items()]
    written = ", ".join(lines)
    if not task:
        written += f' (or "{TASKS[1]}")'
    return (
        f"the spec is a file {name}.toml that begins with {written}, a line each; "
        f"then tunegate run {name}.toml"
    )


def _profile_source(spec: DataSetSpec, task: str) -> tuple[TableProfile, tuple[str, ...]]:
    """Profile the table, and say how it was read.

    Texts that mean missing are read as such before their column is judged.
    """
    table = read_table(spec)
    profile = profile_table(table.frame, target=spec.target, task=task)
    if not (profile.missing_texts or profile.missing_in):
        return profile, tuple(table.notes)
    columns = {name: ColumnSpec(missing=texts) for name, texts in profile.missing_in.items()}
    reading = spec.model_copy(update={"missing": profile.missing_texts, "columns": columns})
    table = read_table(reading)
    known = profile_table(table.frame, target=spec.target, task=task)
    markers = dict.fromkeys((*profile.markers, *known.markers))
    return replace(known, markers=tuple(markers)), tuple(table.notes)


def write_starter(starter: Starter, *, force: bool = False) -> None:
    """Write the spec and the Experiment.

    Raises:
        UsageError: when one of them exists, unless forced, or cannot be written.
    """
    files = {starter.spec_path: starter.spec, starter.experiment_path: starter.experiment}
    existing = [str(path) for path in files if path.exists()]
    if existing and not force:
        raise UsageError(
            f"{' and '.join(existing)}: exists already",
            hint="--force replaces it; --name or --output writes another",
        )
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written: {error.strerror}", hint="try --output FOLDER"
            ) from error


def name_of_table(table: str) -> str:
    """Return a data set's name for a table's path: lower-case letters, digits and `-`."""
    stem = re.split(r"[/\\]", table.rstrip("/\\"))[-1].split("?")[0].split(".")[0]
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9]+", "-", ascii_stem.lower()).strip("-")
    return plain[:LONGEST_NAME].strip("-") or "table"


def _source_in(table: str, folder: Path) -> str:
    """Return a table's path relative to the spec's folder; an address stays as it is."""
    if table.startswith(SQLITE_FILE):
        return SQLITE_FILE + _path_in(table.removeprefix(SQLITE_FILE), folder)
    if "://" in table or table.startswith("sklearn:"):
        return table
    return _path_in(table, folder)


def _path_in(path: str, folder: Path) -> str:
    return Path(os.path.relpath(Path(path).resolve(), folder.resolve())).as_posix()


def _reading_spec(name: str, source: str, target: str, query: str) -> DataSetSpec:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise UsageError(
            f"--name {name}: not allowed", hint="lower-case letters, digits, - and _, at most 63"
        )
    return DataSetSpec(
        name=name, source=source, target=target, task=TASKS[0], read=ReadSpec(query=query)
    )
