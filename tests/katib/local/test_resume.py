"""Runs that are interrupted and resumed: nothing is repeated, lost, or left running."""

import asyncio
import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    as_document,
    build_document,
    comparable_trials,
    eventually,
    find_processes,
    make_engine,
    make_experiment,
    run_experiment,
    shell_command,
    start_process,
    trial_assignments,
    trial_states,
    using_parameters,
)
from support.katib.launchers import linux
from support.patience import patience

from katib.errors import EngineError
from katib.experiment import to_experiment
from katib.local.journal import Journal, Trial

SPEC: dict[str, Any] = {
    "algorithm": algorithm_spec("multivariate-tpe", n_startup_trials="2"),
    "annotations": BATCH,
    "parallelTrialCount": 2,
    "maxTrialCount": 6,
}
QUICK = shell_command("echo mse=${trialParameters.x}")


class BrokenOffError(Exception):
    """What a test breaks a run off with."""


class BreakAt:
    """Breaks the run off at its n-th event; `trial` is where it was."""

    def __init__(self, at: int, error: type[BaseException] = BrokenOffError) -> None:
        self.left = at
        self.error = error

    def started(self, trial: Trial) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error

    def finished(self, trial: Trial, top: Trial | None) -> None:
        self.started(trial)


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


def counting_command(folder: Path) -> tuple[str, ...]:
    """A trial that notes each of its starts."""
    return shell_command(
        f"echo $KATIB_TRIAL_NAME >> {folder}/starts; echo mse=${{trialParameters.x}}"
    )


@pytest.mark.parametrize("at", range(1, 12, 2))
def test_a_run_broken_off_at_any_event_ends_as_if_it_had_not_been(tmp_path: Path, at: int) -> None:
    what = make_experiment(*counting_command(tmp_path), **SPEC)
    whole = run_experiment(what, tmp_path / "whole")
    (tmp_path / "starts").unlink()
    with pytest.raises(BrokenOffError):
        run_experiment(what, tmp_path / "broken", events=BreakAt(at))
    finished = {
        line["name"] for line in journal_lines(tmp_path / "broken") if line["state"] == "Succeeded"
    }
    resumed = run_experiment(what, tmp_path / "broken")
    assert comparable_trials(resumed) == comparable_trials(whole)
    starts = (tmp_path / "starts").read_text().split()
    assert all(starts.count(name) == 1 for name in finished)


def test_a_run_killed_between_the_trials_of_a_batch_asks_for_the_same_batch(tmp_path: Path) -> None:
    what = make_experiment(*QUICK, **SPEC)
    whole = run_experiment(what, tmp_path / "whole")
    journal = (tmp_path / "whole" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    created = [i for i, line in enumerate(journal) if json.loads(line)["state"] == "Created"]
    for n in created:
        folder = tmp_path / f"cut-{n}"
        folder.mkdir()
        (folder / "run.json").write_bytes((tmp_path / "whole" / "run.json").read_bytes())
        (folder / "trials.jsonl").write_bytes(b"".join(journal[: n + 1]))
        assert comparable_trials(run_experiment(what, folder)) == comparable_trials(whole)


def test_an_ended_run_that_is_run_again_only_says_how_it_ended(tmp_path: Path) -> None:
    what = make_experiment(*counting_command(tmp_path), **SPEC)
    first = run_experiment(what, tmp_path / "run")
    again = run_experiment(what, tmp_path / "run")
    assert (again.end, again.trials, again.experiment) == (
        first.end,
        first.trials,
        first.experiment,
    )
    assert len((tmp_path / "starts").read_text().split()) == 6


def test_the_seed_and_the_first_point_are_those_that_the_run_began_with(tmp_path: Path) -> None:
    what = make_experiment(*QUICK, **{**SPEC, "algorithm": {"algorithmName": "random"}})
    with pytest.raises(BrokenOffError):
        run_experiment(what, tmp_path, events=BreakAt(3), first={"x": 0.125})
    before = json.loads((tmp_path / "run.json").read_bytes())
    result = run_experiment(what, tmp_path, first={"x": 0.875})
    assert json.loads((tmp_path / "run.json").read_bytes()) == before
    assert trial_assignments(result)[0] == {"x": "0.125"}


def test_a_torn_last_line_is_forgotten(tmp_path: Path) -> None:
    what = make_experiment(*QUICK, **SPEC)
    whole = run_experiment(what, tmp_path / "whole")
    with pytest.raises(BrokenOffError):
        run_experiment(what, tmp_path / "torn", events=BreakAt(6))
    with (tmp_path / "torn" / "trials.jsonl").open("ab") as file:
        file.write(b'{"index": 5, "name": "tin')
    assert comparable_trials(run_experiment(what, tmp_path / "torn")) == comparable_trials(whole)


@pytest.mark.parametrize(
    "change", [{"maxTrialCount": 7}, {"annotations": None}], ids=["spec", "schedule"]
)
def test_a_changed_document_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BrokenOffError):
        run_experiment(make_experiment(*QUICK, **SPEC), tmp_path, events=BreakAt(3))
    with pytest.raises(EngineError, match="has changed since this run began") as error:
        run_experiment(make_experiment(*QUICK, **{**SPEC, **change}), tmp_path)
    assert "new run" in error.value.hint
    assert (
        trial_states(run_experiment(make_experiment(*QUICK, **SPEC), tmp_path)) == ["Succeeded"] * 6
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 - no path of ours
def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    what = make_experiment(*QUICK, **SPEC)
    kept = tmp_path / "kept"
    whole = run_experiment(what, tmp_path / "whole")
    folder = tmp_path / "full"

    class FillUp(BreakAt):
        def started(self, trial: Trial) -> None:
            self.left -= 1
            if self.left == 0:
                (folder / "trials.jsonl").rename(kept)
                (folder / "trials.jsonl").symlink_to("/dev/full")

    with pytest.raises(EngineError, match="No space left on device") as error:
        run_experiment(what, folder, events=FillUp(5))
    assert "--resume" in error.value.hint
    kept.replace(folder / "trials.jsonl")
    done = [trial for trial in Journal(folder / "trials.jsonl").ordered() if trial.done]
    assert done
    assert comparable_trials(run_experiment(what, folder)) == comparable_trials(whole)


HANG = "test -e {0}/go && {{ echo mse=${{trialParameters.x}}; exit 0; }}; sleep {1} & sleep {1}"


def hanging_document(folder: Path, seconds: str) -> dict[str, Any]:
    """An Experiment whose trials hang until the file `go` is there."""
    return using_parameters(build_document(*shell_command(HANG.format(folder, seconds)), **SPEC))


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_ended_by_a_signal_leaves_no_process_and_can_be_gone_on_with(
    tmp_path: Path, seconds: str, number: signal.Signals
) -> None:
    document = hanging_document(tmp_path, seconds)
    folder = tmp_path / "run"
    with start_process(document, folder) as process:
        eventually(
            lambda: len(find_processes(f"sleep\0{seconds}")) == 4 or process.poll() is not None
        )
        process.send_signal(number)
        process.communicate(timeout=patience(60))
    assert process.returncode != 0
    eventually(lambda: not find_processes(seconds))
    assert {line["state"] for line in journal_lines(folder)} == {"Created", "Running"}
    (tmp_path / "go").touch()
    what = to_experiment(as_document(document))
    assert comparable_trials(run_experiment(what, folder)) == comparable_trials(
        run_experiment(what, tmp_path / "whole")
    )


@linux
def test_cancelling_a_run_ends_its_trials_before_it_returns(tmp_path: Path, seconds: str) -> None:
    what = to_experiment(as_document(hanging_document(tmp_path, seconds)))

    async def go() -> None:
        task = asyncio.create_task(make_engine(what, tmp_path / "run").run())
        await asyncio.to_thread(eventually, lambda: len(find_processes(f"sleep\0{seconds}")) == 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        eventually(lambda: not find_processes(seconds))

    began = time.monotonic()
    asyncio.run(go())
    assert time.monotonic() - began < patience(15)
    assert all(earlier["index"] <= 1 for earlier, _ in pairwise(journal_lines(tmp_path / "run")))
