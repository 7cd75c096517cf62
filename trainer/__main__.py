"""`python -m trainer` and `tunegate train`: run one trial, as a container does.

The metric lines are the last thing printed, after the package is complete: a trial that reports has
a model. With `--report-folds` the objective is also printed after each fold, as its mean over the
folds so far, and each line begins with its time. Exit code 2 is a wrong flag or unusable data, 1
anything else that went wrong.
"""

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path

from registry.errors import RegistryError
from trainer.dataset import Dataset, load_dataset
from trainer.errors import ParameterError, PushError, TrainerError
from trainer.hyperparameters import (
    family_names,
    flag_name,
    hyperparameter_help,
    hyperparameter_names,
    values_of_learner,
)
from trainer.kubeflow_trainer import (
    StatusServer,
    errors_naming_variables,
    hyperparameters_from,
    status_server,
)
from trainer.learners import LEARNERS, Learner
from trainer.onnx import require_onnx
from trainer.profile import finding_lines
from trainer.recipe import Recipe
from trainer.scoring.importance import ImportanceMeter
from trainer.scoring.out_of_bag import FittedModel
from trainer.scoring.report_times import ReportTimes
from trainer.spec import builtin_names
from trainer.trial import (
    Score,
    cross_validate,
    format_score,
    left_out_metrics,
    metric_lines,
    write_trial,
)

EPILOG = """\
example:
  {prog} --data boston --n-estimators 200 --max-depth 12 --output /tmp/boston

With a model's name in front, such as --lightgbm-learning-rate, a hyperparameter is that model's
alone, and is checked but ignored for every other: for a search that chooses the model too.

Each hyperparameter may also come as an environment variable, --max-depth as
KUBEFLOW_TRAINER_OPT_MAX_DEPTH; a flag wins. If KUBEFLOW_TRAINER_SERVER_URL is set, as in a
TrainJob, the metrics are sent there too.
"""


def main(argv: list[str] | None = None, *, prog: str = "python -m trainer") -> int:
    """Run one trial; `prog` is the command's name in its help; returns the exit code."""
    arguments = make_parser(prog).parse_args(argv)
    try:
        _run_trial(arguments)
    except (TrainerError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        if isinstance(error, TrainerError) and not isinstance(error, PushError):
            return 2
        return 1
    return 0


def _run_trial(arguments: argparse.Namespace) -> None:
    if arguments.onnx:
        if not arguments.output:
            raise ParameterError("--onnx: there is no package to put it into", hint="add --output")
        require_onnx()  # before minutes of fitting
    dataset = load_dataset(arguments.data, include=tuple(arguments.include))
    for line in (*dataset.notes, *finding_lines(dataset.findings)):
        print(f"note: {line}", file=sys.stderr)
    recipe = _make_recipe(arguments, dataset)
    server = status_server(os.environ)
    meter = None
    if arguments.output and arguments.importances:
        meter = ImportanceMeter(dataset, recipe)
    times = ReportTimes() if arguments.report_folds else None
    scores = _cross_validate(arguments, recipe, dataset, server, meter, times)
    if arguments.output:
        digest = write_trial(
            arguments.output,
            recipe,
            dataset,
            scores[0],
            fold_seed=arguments.fold_seed,
            n_jobs=arguments.n_jobs,
            onnx=arguments.onnx,
            importances=meter.importances() if meter else (),
            on_fitted=lambda model: _say_out_of_bag(model, dataset.spec.metric),
        )
        print(f"model package {digest[:12]} written to {arguments.output}", file=sys.stderr)
    if server:
        server.push_result(scores)
    _print_metrics(scores, times)


def _say_out_of_bag(model: FittedModel, metric: str) -> None:
    if model.out_of_bag is not None:  # without "=": it is no metric line
        print(f"out of bag: {metric} {model.out_of_bag:.6g}", file=sys.stderr)


def _cross_validate(
    arguments: argparse.Namespace,
    recipe: Recipe,
    dataset: Dataset,
    server: StatusServer | None,
    meter: ImportanceMeter | None,
    times: ReportTimes | None,
) -> list[Score]:
    def report_fold(score: Score) -> None:
        if times:
            _print_metrics([score], times)
        if server:
            server.push_progress(score, share=len(score.folds) / (arguments.folds + 1))

    scores = cross_validate(
        recipe,
        dataset,
        folds=arguments.folds,
        seed=arguments.fold_seed,
        n_jobs=arguments.n_jobs,
        on_fold=report_fold,
        meter=meter,
    )
    for score in scores:
        format_score(score)  # a trial that cannot report writes no package
    if missing := ", ".join(left_out_metrics(recipe.task, scores)):
        print(f"note: undefined for these rows, and left out: {missing}", file=sys.stderr)
    return scores


def _make_recipe(arguments: argparse.Namespace, dataset: Dataset) -> Recipe:
    """Combine flags and environment; a flag wins."""
    names = (*hyperparameter_names(), *family_names())
    flags = {name: getattr(arguments, name) for name in names}
    flags = {name: value for name, value in flags.items() if value is not None}
    variables = {
        name: value for name, value in hyperparameters_from(os.environ).items() if name not in flags
    }
    with errors_naming_variables(variables):
        values, ignored = values_of_learner(arguments.model, {**variables, **flags})
        recipe = Recipe.of_dataset(dataset, arguments.model, values, arguments.seed)
    if ignored:
        others = ", ".join(ignored)
        print(f"note: --model {arguments.model}: ignored what is of {others}", file=sys.stderr)
    return recipe


def _print_metrics(scores: list[Score], times: ReportTimes | None) -> None:
    lines = list(metric_lines(scores))
    if times:  # of several reports of a metric the latest counts
        lines = [times.stamp(line) for line in lines]
    print("\n".join(lines), flush=True)


def make_parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of a trial's command, which is called `prog`."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Fit one model with cross-validation, print its metrics, write its package.",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tunegate {version('tunegate')}")
    parser.add_argument(
        "--data",
        required=True,
        help=f"a built-in data set ({', '.join(builtin_names())}) or the path of a spec (.toml)",
    )
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="COLUMN",
        help="learn from a dropped column too",
    )
    parser.add_argument(
        "--model",
        choices=list(LEARNERS),
        default="random_forest",
        metavar="NAME",
        help=_model_help(),
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write the model package here"
    )
    parser.add_argument(
        "--onnx",
        action="store_true",
        help="put a copy for other servers into the package: model.onnx (extra: onnx)",
    )
    parser.add_argument(
        "--no-importances",
        dest="importances",
        action="store_false",
        help="do not measure how much the columns matter; a package has no importances then",
    )
    parser.add_argument(
        "--seed", type=_IntegerRange(0, 2**32 - 1), default=0, help="of the model; default: 0"
    )
    _add_fold_options(parser)
    parser.add_argument(
        "--n-jobs", type=_IntegerRange(1, 1024), default=1, help="threads to fit with; default: 1"
    )
    for name, text in hyperparameter_help().items():
        parser.add_argument(flag_name(name), metavar="VALUE", help=text)
    for name in family_names():
        parser.add_argument(flag_name(name), help=argparse.SUPPRESS)
    return parser


def _add_fold_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folds", type=_IntegerRange(2, 20), default=5, help="of the cross-validation; default: 5"
    )
    parser.add_argument(
        "--fold-seed",
        type=_IntegerRange(0, 999),
        default=0,
        help="of the folds, 0 to 999; default: 0",
    )
    parser.add_argument(
        "--report-folds",
        action="store_true",
        help="print the metric's mean so far after each fold too, for early stopping; "
        "the objective's metricStrategies must then be `latest`",
    )


def _model_help() -> str:
    names = ", ".join(f"{each.name} ({_learner_words(each)})" for each in LEARNERS.values())
    return f"{names}; default: random_forest"


def _learner_words(learner: Learner) -> str:
    if learner.extra:
        return f"{learner.words}; extra: {learner.extra}"
    return learner.words


class _IntegerRange:
    """Parses a flag's integer from `low` to `high`."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def __call__(self, text: str) -> int:
        if not (text.isdecimal() and self.low <= int(text) <= self.high):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not an integer from {self.low} to {self.high}"
            )
        return int(text)


if __name__ == "__main__":
    sys.exit(main())
