"""What the command of an Experiment's trials tells: the data it reads, and whether it makes models.

The command is rendered and translated as for a real trial, so volumes, `$(VAR)` and, in a shell's
script, `$VAR` mean the same as they will for each trial.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Template

from katib.experiment import Experiment
from katib.local.job_template import Launch, PathMap, plan_launch, render_job
from tunegate.errors import UsageError
from tunegate.settings import Settings

CLAIM = "tunegate-models"
PROBE = "probe"  # the trial that the command is rendered for
SEARCHED = "\x00"  # stands for a value that the search chooses
SHELLS = frozenset({"sh", "bash", "dash"})
TRAINERS = (("-m", "trainer"), ("-m", "trainer.__main__"), ("tunegate", "train"))


@dataclass(frozen=True, slots=True)
class TrialProgram:
    """A trial's command, as far as its words tell.

    Attributes:
        data: a built-in data set's name or a spec's absolute path; empty where the command names
            neither, or the search chooses it.
        include: the dropped columns that it learns from after all.
        is_trainer: whether it is our own trainer.
        model: the learner's name; empty where it is not our trainer, or the search chooses it.
        writes_package: whether it learns where the trial's model package belongs.
    """

    data: str
    include: tuple[str, ...]
    is_trainer: bool
    model: str
    writes_package: bool


def read_program(experiment: Experiment, settings: Settings) -> TrialProgram:
    """Return what the trials' command tells.

    Raises:
        EngineError: when the command reads something that does not exist on this machine.
        UsageError: when an annotation of the Experiment is malformed.
    """
    assignments = {parameter.name: SEARCHED for parameter in experiment.parameters}
    job = render_job(experiment, assignments, PROBE)
    launch = plan_launch(experiment, job, path_map(settings, experiment), Path(PROBE))
    words = _command_words(launch)
    is_trainer = any(pair in TRAINERS for pair in _pairs(words))
    named = _option_values(words, "--data")
    data = named[-1] if named else ""
    if SEARCHED in data or not (is_trainer or data.endswith(".toml")):
        data = ""
    return TrialProgram(
        data=absolute_data(data, launch.cwd or Path()),
        include=tuple(_option_values(words, "--include")),
        is_trainer=is_trainer,
        model=_learner_name(words) if is_trainer else "",
        writes_package=_names_package(words, launch.env, settings.store_path),
    )


def absolute_data(data: str, folder: Path = Path()) -> str:
    """Return a spec's path without reference to the current folder; other names stay."""
    if data.endswith(".toml"):
        return os.path.abspath(folder / data)  # noqa: PTH100 - resolve() would follow links
    return data


def path_map(settings: Settings, experiment: Experiment) -> PathMap:
    """Return where images and mounts are on this machine.

    Raises:
        UsageError: when an annotation of the Experiment is malformed.
    """
    annotated = {name: Path(value) for name, value in _annotation_pairs(experiment, "mounts")}
    mounts = {CLAIM: settings.store_path, **annotated, **settings.mounts}
    images = {**dict(_annotation_pairs(experiment, "images")), **settings.images}
    return PathMap(settings.state / "volumes", images, mounts)


def _annotation_pairs(experiment: Experiment, annotation: str) -> list[tuple[str, str]]:
    """Read an annotation of the form `name=value,name=value`."""
    text = experiment.annotation(annotation) or ""
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if bad := [name for name, equals, value in parts if not (name and equals and value)]:
        hint = "write name=value, separated by commas"
        raise UsageError(
            f"annotation tunegate.dev/{annotation}: {bad[0]!r} has no value", hint=hint
        )
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _command_words(launch: Launch) -> list[str]:
    """Return the command's words; of a shell those of its script, with variables expanded."""
    argv = list(launch.argv)
    if Path(argv[0]).name not in SHELLS or "-c" not in argv[:-1]:
        words = argv[1:]
        if launch.needs_shell:
            words = _split_script(" ".join(words))
        return [argv[0].rpartition("/")[2], *words]
    script = argv[argv.index("-c") + 1]
    variables = {**os.environ, **launch.env}
    expanded = [Template(word).safe_substitute(variables) for word in _split_script(script)]
    return [word.rstrip(";") for word in expanded]


def _split_script(script: str) -> list[str]:
    try:
        return shlex.split(script, comments=True)
    except ValueError:  # quotes that do not match; the shell will say so
        return script.split()


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    names = [word.rpartition("/")[2] for word in words]
    return list(pairwise(names))


def _option_values(words: Sequence[str], option: str) -> list[str]:
    """Return the values of `--option VALUE` and `--option=VALUE`, in order."""
    found = []
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == option and equals:
            found.append(value)
        elif word == option and place + 1 < len(words):
            found.append(words[place + 1])
    return found


def _learner_name(words: Sequence[str]) -> str:
    named = ["random_forest", *_option_values(words, "--model")][-1]
    return "" if SEARCHED in named else named


def _names_package(words: Sequence[str], env: Mapping[str, str], store: Path) -> bool:
    places = {str(store), str(store.resolve())}
    return any(place in text for text in (*words, *env.values()) for place in places)
