"""`tune`: a table, a data set spec or an Experiment in, a study out."""

from pathlib import Path

from tunegate.settings import load_settings
from tunegate.study.planning import Source, prepare_resumption, prepare_search
from tunegate.study.starting import TableOptions
from tunegate.study.study import Study, run_search


def tune(  # noqa: PLR0913 - what one search may be told, by keyword
    source: Source = None,
    target: str | int = "",
    *,
    task: str = "",
    name: str = "",
    query: str = "",
    model: str = "",
    trials: int | None = None,
    time: str | float | None = None,
    cpus: int | None = None,
    include: tuple[str, ...] = (),
    warm_start: bool = False,
    resume: bool = False,
    state: str | Path | None = None,
) -> Study:
    """Search for the best model of a table, and return what was found.

    Trials run as processes of their own, as many at once as there are CPUs; an interrupt ends them
    in order, and `resume=True` continues. The run is on the disk like any of the command line's.

    Args:
        source: one of: the path or address of a table; a DataFrame of pandas, polars or pyarrow;
            a data set spec, as its path (.toml), its `DataSetSpec`, or a built-in data set's name;
            an Experiment, as its path (.yaml), an `Experiment`, a dict, or the V1beta1Experiment of
            kubeflow-katib or kubeflow-katib-api. None: the shipped Experiment; with `resume` the
            newest run's.
        target: the column to predict, of a table, by its name.
        task: "regression" or "classification", if the target's values do not tell.
        name: the model's name, made from the file's by default.
        query: the SQL whose rows are the table, where `source` is a database's address such as
            "sqlite:///houses.db".
        model: what the search of a table or a spec chooses among: a learner's name, several with
            commas, or "all" (docs/models.md); the random forest by default.
        trials: how many; the Experiment's own number by default.
        time: no trial starts after this time: 90, "90s", "5m", "1h30m".
        cpus: CPUs to use, all by default.
        include: columns that the spec drops, to learn from after all.
        warm_start: let the search learn from earlier runs on the same data.
        resume: continue the newest run, which was interrupted or ended by `time`.
        state: the folder of runs, store and ledger; `.tunegate` by default.

    Raises:
        UsageError: when the arguments contradict each other, or name nothing to search.
        DataError: when the table cannot be used; the message names every finding.
        InvalidExperiment: when the Experiment cannot be run.
        EngineError: when the run cannot start or continue.

    Example:
        >>> study = tg.tune("houses.csv", target="price", trials=20)
        >>> study.trials.sort_values("mse").head()
    """
    settings = load_settings(
        time=time,
        cpus=cpus,
        include=include,
        warm_start=warm_start or None,
        state=state,
    )
    if resume:
        return run_search(prepare_resumption(source, settings))
    table = TableOptions(str(target), task, name, model, query)
    return run_search(prepare_search(source, settings, table, trials=trials))
