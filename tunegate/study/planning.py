"""What is to be searched: a table, a data set spec or an Experiment becomes a search to begin.

Everything that can be known to be wrong is refused here, before the first trial.
"""

import copy
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from katib.document import Document, parse_documents
from katib.experiment import Experiment, read_experiment, to_experiment
from katib.local.run_folder import newest_run
from katib.sdk_objects import read_object
from katib.yaml_reader import NotYaml
from trainer.errors import DataError
from trainer.spec import DataSetSpec, builtin_names, load_spec
from tunegate.console import say
from tunegate.errors import UsageError
from tunegate.run_data import remembered_data
from tunegate.search.local import newest_experiment
from tunegate.settings import Settings
from tunegate.shipped import shipped_experiment
from tunegate.starters import IN_A_SPEC
from tunegate.study.checked_plan import PlannedSearch, check_plan
from tunegate.study.starting import TABLES, TableOptions, search_of_spec, search_of_table
from tunegate.trial_program import absolute_data, read_program
from tunegate.workspace import Workspace

NOTHING_STATED = TableOptions()
DOCUMENTS = frozenset({".yaml", ".yml", ".json"})
Source = object  # a path or URL, a DataFrame, a DataSetSpec, an Experiment, or its object


def prepare_search(
    source: Source,
    settings: Settings,
    table: TableOptions = NOTHING_STATED,
    *,
    trials: int | None = None,
    command: str = "",
) -> PlannedSearch:
    """Plan a new search.

    Args:
        source: what to learn from, or the Experiment to run; None for the data that the settings
            name, or for the shipped Experiment.
        settings: where everything is kept.
        table: the target and what else is stated of a table, and the learner.
        trials: how many; the Experiment's own number if None.
        command: which command begins the search.

    Raises:
        UsageError: when the source is none of these, or the settings contradict it.
        InvalidExperiment: when the Experiment cannot be run.
        DataError: when its data do not exist or cannot be used.
    """
    if trials is not None and trials < 1:
        raise UsageError(f"{trials} trials are none", hint="state 1 or more")
    experiment = _find_experiment(source, settings, replace(table, trials=trials))
    if trials is not None:
        experiment = _with_trials(experiment, trials)
    return _with_readable_data(check_plan(experiment, settings, command=command))


def prepare_resumption(source: Source, settings: Settings, *, command: str = "") -> PlannedSearch:
    """Plan to resume the newest run, of the Experiment in a file or of any.

    Raises:
        UsageError: when there is none, or the settings or the folder contradict it.
    """
    if source is None:
        experiment = newest_experiment(Workspace(settings))
    else:
        experiment = _find_experiment(source, settings, TableOptions())
    plan = check_plan(experiment, settings, command=command, resume=True)
    run = newest_run(plan.workspace.experiments, experiment.name)
    known = remembered_data(run, settings) if run else None
    if known and known.data and known.data != plan.data.data:
        raise UsageError(
            f"{run} learned from {known.data}, here its trials would from {plan.data.data}",
            hint="resume it in the folder that it was started in",
        )
    return _with_readable_data(plan)


def _with_readable_data(plan: PlannedSearch) -> PlannedSearch:
    """Read the user's data once: say how, and refuse before the trials what each would refuse.

    Raises:
        DataError: naming the file, the column and the line where it can.
    """
    from trainer.dataset import load_dataset  # noqa: PLC0415 - imports scikit-learn
    from trainer.profile import finding_lines  # noqa: PLC0415 - imports pandas

    program = plan.program
    is_own = program.data not in builtin_names()
    if not (program.is_trainer and (is_own or program.include)):
        return plan
    try:
        dataset = load_dataset(program.data, include=program.include)
    except DataError as error:
        raise _naming_spec(error, program.data, plan.workspace.settings) from error
    for line in (*dataset.notes, *finding_lines(dataset.findings)):
        say(f"note: {line}")
    return plan


def _naming_spec(error: DataError, spec: str, settings: Settings) -> DataError:
    """Return the error with a hint that says which file "the spec" is.

    One that was made for a table is made again with each run of the table, so it is named.
    """
    if IN_A_SPEC not in error.hint:
        return error
    hint = f"{error.hint}; the spec is {spec}"
    if Path(spec).is_relative_to((settings.state / TABLES).absolute()):
        hint += f", to be run by its name: tunegate run {shlex.quote(spec)}"
    return DataError(str(error), hint=hint)


def _find_experiment(source: Source, settings: Settings, table: TableOptions) -> Experiment:
    if isinstance(source, str | Path):
        return _named_experiment(str(source), settings, table)
    if source is None:
        return _default_experiment(settings, table)
    if isinstance(source, Experiment):
        _refuse_all_options(table, "an Experiment")
        return source
    if isinstance(source, DataSetSpec):
        _refuse_table_options(table, "a data set spec")
        return search_of_spec(source, settings, model=table.model)
    document = read_object(source)
    is_columns = isinstance(source, Mapping) and "spec" not in source and table.target
    if document is not None and not is_columns:
        _refuse_all_options(table, "an Experiment")
        return to_experiment(Document("the Experiment", document))
    return search_of_table(source, settings, table)


def _named_experiment(name: str, settings: Settings, table: TableOptions) -> Experiment:
    """Return the Experiment of a path, a URL, or a built-in data set's name."""
    suffix = Path(name).suffix.lower()
    if suffix in DOCUMENTS and _holds_experiment(Path(name)):
        _refuse_all_options(table, f"{name}, an Experiment")
        return read_experiment(Path(name))
    is_builtin = name in builtin_names() and not Path(name).exists()
    if suffix == ".toml" or is_builtin:
        _refuse_table_options(replace(table, model=""), f"{name}, a data set spec")
        _refuse_other_data(name, settings)
        return search_of_spec(load_spec(name), settings, name=name, model=table.model)
    if not ("://" in name or Path(name).exists() or any(mark in name for mark in "*?")):
        hint = "name a table, a data set spec (.toml) or an Experiment (.yaml)"
        raise UsageError(f"{name}: no such file", hint=hint)
    if settings.data:
        raise UsageError(
            f"{name} is a table, and the settings name other data: {settings.data}",
            hint="leave one of them out",
        )
    return search_of_table(name, settings, table)


def _holds_experiment(path: Path) -> bool:
    """Whether a file is a document; a table of JSON objects is none.

    A file that cannot be read counts as one too: reading it names the reason.
    """
    if path.suffix.lower() != ".json":
        return True
    try:
        return bool(parse_documents(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, NotYaml):
        return False


def _default_experiment(settings: Settings, table: TableOptions) -> Experiment:
    """Return the shipped Experiment, or one for the data or the learners that were named."""
    _refuse_table_options(replace(table, model=""), "no table")
    experiment = read_experiment(shipped_experiment())
    program = read_program(experiment, settings)
    data = settings.data or program.data
    if absolute_data(data) == program.data and table.model in {"", program.model}:
        return experiment
    return search_of_spec(load_spec(data), settings, name=data, model=table.model)


def _refuse_table_options(table: TableOptions, what: str) -> None:
    if given := table.given():
        raise UsageError(
            f"only a table takes {' and '.join(given)}, and this is {what}",
            hint="leave them out, or change the data set spec",
        )


def _refuse_all_options(table: TableOptions, what: str) -> None:
    """Refuse the table's options, and a learner, which an Experiment's command names itself."""
    _refuse_table_options(table, what)
    if table.model:
        raise UsageError(
            f"--model {table.model}: this is {what}, whose command names its learner",
            hint="change `--model` and the parameters there, or name the table or its spec instead",
        )


def _refuse_other_data(name: str, settings: Settings) -> None:
    if settings.data and absolute_data(settings.data) != absolute_data(name):
        raise UsageError(
            f"two data sets are named: {name} and, by the settings, {settings.data}",
            hint="leave one of them out",
        )


def _with_trials(experiment: Experiment, trials: int) -> Experiment:
    """Return the Experiment with another number of trials."""
    written = copy.deepcopy(experiment.written)
    spec = written["spec"]
    spec["maxTrialCount"] = trials
    for name in ("parallelTrialCount", "maxFailedTrialCount"):
        if name in spec:
            spec[name] = min(spec[name], trials)
    return to_experiment(Document(f"{experiment.name} with {trials} trials", written))
