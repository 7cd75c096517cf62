"""`python -m trainer`: runs one trial, as a container does.

The metric lines are the last thing printed, after the package is complete: a trial that reports has
a model. With `--report-folds` the objective is also printed after each fold, as its mean over the
folds so far. Exit code 2 is a wrong flag or unusable data, 1 anything else that went wrong.
"""

import argparse
import os
import sys
from pathlib import Path

from registry.errors import RegistryError
from trainer.dataset import Dataset, load_dataset
from trainer.errors import ParameterError, PushError, TrainerError
from trainer.hyperparameters import LEARNERS, flag_name, hyperparameter_names
from trainer.kubeflow_trainer import errors_naming_variables, hyperparameters_from, status_server
from trainer.onnx import require_onnx
from trainer.recipe import Recipe
from trainer.spec import builtin_names
from trainer.trial import Score, cross_validate, format_score, metric_lines, write_trial

EPILOG = """\
example:
  python -m trainer --data boston --n-estimators 200 --max-depth 12 --output /tmp/boston

Each hyperparameter may also come as an environment variable, --max-depth as
KUBEFLOW_TRAINER_OPT_MAX_DEPTH; a flag wins. If KUBEFLOW_TRAINER_SERVER_URL is set, as in a
TrainJob, the metrics are sent there too.
"""


def main(argv: list[str] | None = None) -> int:
    """Run one trial; returns the exit code."""
    arguments = _make_parser().parse_args(argv)
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
    recipe = _make_recipe(arguments, dataset)
    server = status_server(os.environ)

    def report_fold(score: Score) -> None:
        if arguments.report_folds:
            _print_metrics([score])
        if server:
            server.push_progress(score, share=len(score.folds) / (arguments.folds + 1))

    scores = cross_validate(
        recipe,
        dataset,
        folds=arguments.folds,
        seed=arguments.fold_seed,
        n_jobs=arguments.n_jobs,
        on_fold=report_fold,
    )
    for score in scores:
        format_score(score)  # a trial that cannot report writes no package
    if arguments.output:
        digest = write_trial(
            arguments.output,
            recipe,
            dataset,
            scores[0],
            fold_seed=arguments.fold_seed,
            n_jobs=arguments.n_jobs,
            onnx=arguments.onnx,
        )
        print(f"model package {digest[:12]} written to {arguments.output}", file=sys.stderr)
    if server:
        server.push_result(scores)
    _print_metrics(scores)


def _make_recipe(arguments: argparse.Namespace, dataset: Dataset) -> Recipe:
    """Combine flags and environment; a flag wins."""
    flags = {name: getattr(arguments, name) for name in hyperparameter_names()}
    flags = {name: value for name, value in flags.items() if value is not None}
    variables = {
        name: value for name, value in hyperparameters_from(os.environ).items() if name not in flags
    }
    smallest = float(dataset.training.y.min())
    with errors_naming_variables(variables):
        return Recipe.make(
            arguments.model,
            dataset.spec.task,
            {**variables, **flags},
            arguments.seed,
            smallest_target=smallest,
        )


def _print_metrics(scores: list[Score]) -> None:
    print("\n".join(metric_lines(scores)), flush=True)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description="Fit one model with cross-validation, print its metrics, write its package.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
        "--model", choices=list(LEARNERS), default="random_forest", help="default: random_forest"
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
        "--seed", type=_IntegerRange(0, 2**32 - 1), default=0, help="of the model; default: 0"
    )
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
    parser.add_argument(
        "--n-jobs", type=_IntegerRange(1, 1024), default=1, help="threads to fit with; default: 1"
    )
    for name, text in _hyperparameter_help().items():
        parser.add_argument(flag_name(name), metavar="VALUE", help=text)
    return parser


def _hyperparameter_help() -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for algorithm, learner in LEARNERS.items():
        for name, field in learner.model_fields.items():
            texts.setdefault(name, []).append(f"{algorithm}: {field.description}")
    return {name: "; ".join(parts) for name, parts in texts.items()}


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
