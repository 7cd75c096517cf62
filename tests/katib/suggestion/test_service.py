"""The Suggestion service as Katib's controller meets it: a process, called over gRPC."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.cli import environment
from support.katib.experiments import (
    BATCH,
    PROC,
    make_experiment,
    python_command,
    run_experiment,
    trial_assignments,
)
from support.katib.search_spaces import parameter
from support.katib.suggestion_clients import (
    Client,
    Controller,
    Point,
    Trial,
    command,
    pack_experiment,
    serving,
    value_of,
)
from support.katib.suggestion_clients import pack_objective as objective
from support.serving.servers import PATIENCE
from support.serving.wire import pack_field, read_fields

from katib.search.algorithms import ALGORITHMS

SPACE = (
    parameter("double", "rate", min="0.001", max="1", distribution="logUniform"),
    parameter("int", "depth", min="1", max="30"),
    parameter("double", "share", min="0.1", max="0.7", step="0.1"),
    parameter("discrete", "size", list=["0.5", "2", "10"]),
    parameter("categorical", "loss", list=["squared", "absolute"]),
    parameter("double", "noise", min="-1", max="1", distribution="normal"),
    parameter("int", "leaf", min="1", max="21", step="5", distribution="logNormal"),
)
SMALL = (parameter("int", "a", min="1", max="3"), parameter("categorical", "b", list=["x", "y"]))
SERVED = [name for name, algorithm in ALGORITHMS.items() if algorithm.local]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving() as started:
        yield started.client


@pytest.fixture
def controller(client: Client) -> Controller:
    return Controller(pack_experiment(SPACE), client)


def finish(trials: list[Trial]) -> None:
    for trial in trials:
        trial.state = "SUCCEEDED"
        trial.value = value_of(trial.point)


def search(controller: Controller, *, batches: int, size: int) -> list[Point]:
    for _ in range(batches):
        finish(controller.ask(size))
    return controller.points()


def distinct(points: list[Point]) -> int:
    return len({tuple(point.items()) for point in points})


@pytest.mark.parametrize("algorithm", sorted(set(SERVED) - {"grid"}))
def test_points_are_feasible_distinct_and_exactly_as_many_as_asked_for(
    client: Client, algorithm: str
) -> None:
    controller = Controller(pack_experiment(SPACE, algorithm=algorithm), client)
    points = search(controller, batches=5, size=4)
    assert len(points) == distinct(points) == 20
    for point in points:
        assert list(point) == [p.name for p in SPACE]
        assert all(p.contains(point[p.name]) for p in SPACE)


def test_trials_are_named_by_experiment_number_and_chance(controller: Controller) -> None:
    names = [trial.name for trial in [*controller.ask(2), *controller.ask(1)]]
    assert [name.rpartition("-")[0] for name in names] == ["tiny-0", "tiny-1", "tiny-2"]
    again = [name for name, _ in controller.client.suggest(controller.request(1, []))]
    assert again[0] not in names


def test_the_same_request_gets_the_same_points(controller: Controller) -> None:
    search(controller, batches=4, size=3)
    assert controller.peek(3) == controller.peek(3)


def test_the_order_in_which_katib_lists_trials_does_not_matter(controller: Controller) -> None:
    search(controller, batches=15, size=2)
    shuffled = controller.trials[1::2] + controller.trials[-2::-2]
    assert controller.peek(2, shuffled) == controller.peek(2)


def test_killed_and_started_again_between_any_two_calls_it_goes_on_as_if_nothing_had_been(
    client: Client,
) -> None:
    experiment = pack_experiment(SPACE)
    unbroken = Controller(experiment, client)
    search(unbroken, batches=6, size=3)
    broken = Controller(experiment, client)
    for _ in range(6):
        with serving() as started:
            broken.client = started.client
            search(broken, batches=1, size=3)
            started.process.kill()
    assert broken.points() == unbroken.points()


@pytest.mark.parametrize("algorithm", ["tunegate", "cmaes"])
def test_katib_gets_the_same_trials_as_the_local_engine(
    client: Client, tmp_path: Path, algorithm: str
) -> None:
    script = (
        "x, k = ${trialParameters.x}, ${trialParameters.k}; print('mse=%r' % ((x - 0.3) ** 2 + k))"
    )
    parameters = {"x": ("double", {"min": "0", "max": "1"}), "k": ("int", {"min": "1", "max": "9"})}
    settings = {
        "algorithmName": algorithm,
        "algorithmSettings": [{"name": "random_state", "value": "7"}],
    }
    options = {"algorithm": settings, "parallelTrialCount": 3, "maxTrialCount": 15}
    what = make_experiment(
        *python_command(script), parameters=parameters, annotations=BATCH, **options
    )
    local = run_experiment(what, tmp_path / "run")

    controller = Controller(pack_experiment(what.parameters, algorithm=algorithm), client)
    values = {
        tuple(point.items()): trial
        for point, trial in zip(trial_assignments(local), local.trials, strict=True)
    }
    for _ in range(5):
        for trial in controller.ask(3):
            same = values[tuple(trial.point.items())]
            trial.state = "SUCCEEDED"
            trial.value = same["status"]["observation"]["metrics"][0]["latest"]
    assert controller.points() == trial_assignments(local)


@pytest.mark.parametrize(
    "state", ["CREATED", "RUNNING", "FAILED", "KILLED", "EARLYSTOPPED", "SUCCEEDED", "UNKNOWN"]
)
def test_no_point_is_given_again_whatever_became_of_it(client: Client, state: str) -> None:
    controller = Controller(pack_experiment(SMALL), client)
    given = controller.ask(5)
    for trial in given:
        trial.state = state
    (last,) = controller.ask(1)
    assert distinct([last.point, *(trial.point for trial in given)]) == 6


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "", "unavailable", "1_000", "1e999", None])
def test_an_objective_that_is_no_number_counts_as_a_failure(
    controller: Controller, value: str | None
) -> None:
    search(controller, batches=6, size=2)
    failed = [replace(t, state="FAILED", value=None) for t in controller.trials[:3]]
    odd = [replace(t, value=value) for t in controller.trials[:3]]
    assert controller.peek(2, odd + controller.trials[3:]) == controller.peek(
        2, failed + controller.trials[3:]
    )


def test_an_early_stopped_trial_counts_with_its_value(controller: Controller) -> None:
    search(controller, batches=6, size=2)
    stopped = [replace(trial, state="EARLYSTOPPED") for trial in controller.trials]
    assert controller.peek(2, stopped) == controller.peek(2)


def test_running_trials_are_more_to_the_sampler_than_failed_ones(controller: Controller) -> None:
    search(controller, batches=12, size=2)
    pending = [replace(trial, state="RUNNING", value=None) for trial in controller.trials[:8]]
    failed = [replace(trial, state="FAILED") for trial in pending]
    assert controller.peek(2, pending + controller.trials[8:]) != controller.peek(
        2, failed + controller.trials[8:]
    )


def test_the_larger_is_better_where_the_objective_says_so(client: Client) -> None:
    line = (parameter("double", "x", min="0", max="1"),)
    found = {}
    for minimize in (True, False):
        goal = objective(minimize=minimize)
        controller = Controller(pack_experiment(line, objective=goal), client, goal)
        for _ in range(8):
            for trial in controller.ask(4):
                trial.state = "SUCCEEDED"
                trial.value = trial.point["x"]
        later = [float(point["x"]) for point in controller.points()[16:]]
        found[minimize] = sum(later) / len(later)
    assert found[True] < 0.3
    assert found[False] > 0.7


def test_trials_of_others_are_left_out(controller: Controller) -> None:
    search(controller, batches=6, size=2)
    mine = controller.trials[3]
    foreign = [
        replace(mine, name="tiny-aaaaaaaa", point={"other": "1"}),
        replace(mine, name="tiny-bbbbbbbb", point=mine.point | {"depth": "31"}),
        replace(mine, name="tiny-cccccccc", point=mine.point | {"loss": "huber"}),
        replace(mine, name="tiny-dddddddd", point=mine.point | {"share": "0.15"}),
        replace(mine, name="tiny-eeeeeeee", point=mine.point | {"extra": "1"}),
        replace(mine, name="tiny-ffffffff", point={}),
    ]
    assert controller.peek(2, foreign + controller.trials) == controller.peek(2)
    others = pack_field(
        2, replace(mine, name="tiny-2-gggggggg").pack(objective("accuracy", minimize=False))
    )
    theirs = controller.client.suggest(controller.request(2) + others)
    assert [point for _, point in theirs] == controller.peek(2)


def test_trials_that_fit_but_came_from_another_service_are_learnt_from(
    controller: Controller,
) -> None:
    point = {
        "rate": "1e-1",
        "depth": "7",
        "share": "0.30",
        "size": "2",
        "loss": "absolute",
        "noise": "0",
        "leaf": "6",
    }
    theirs = [Trial(f"tiny-x{i}", point | {"depth": str(i)}, value=str(i)) for i in range(1, 15)]
    controller.count = len(theirs)
    assert controller.peek(3, theirs) != controller.peek(3, [])
    assert controller.peek(3, theirs) == controller.peek(3, theirs[::-1])


def test_without_a_seed_the_points_follow_from_the_experiments_name_and_space(
    client: Client,
) -> None:
    def points(name: str) -> list[Point]:
        return Controller(pack_experiment(SPACE, name=name, settings={}), client).peek(3)

    assert points("one") == points("one") != points("two")


def test_the_first_trial_can_be_given(client: Client) -> None:
    first = {
        "first": '{"rate": 0.1, "depth": 400, "loss": "absolute", "unknown": 1, "share": null}'
    }
    points = Controller(pack_experiment(SPACE, settings=first), client).peek(3)
    assert {name: points[0][name] for name in ("depth", "loss", "share")} == {
        "depth": "30",
        "loss": "absolute",
        "share": "0.7",
    }
    assert float(points[0]["rate"]) == pytest.approx(0.1)
    assert points[1]["rate"] != points[0]["rate"]


def test_a_space_that_has_been_tried_whole_is_gone_through_again(client: Client) -> None:
    controller = Controller(pack_experiment(SMALL), client)
    points = search(controller, batches=4, size=4)
    assert distinct(points[:6]) == 6
    assert max(points.count(point) for point in points) == 3
    assert min(points.count(point) for point in points) == 2


def test_a_grid_is_gone_through_in_order_and_ends_with_an_error(client: Client) -> None:
    controller = Controller(pack_experiment(SMALL, algorithm="grid"), client)
    points = search(controller, batches=3, size=2)
    assert [point["a"] + point["b"] for point in points] == ["1x", "1y", "2x", "2y", "3x", "3y"]
    code, text = client.refusal("GetSuggestions", controller.request(1))
    assert code == "OUT_OF_RANGE"
    assert "set maxTrialCount to its size" in text


def test_a_trial_without_metrics_which_katib_does_not_send_is_not_tried_again_before_all_others(
    client: Client,
) -> None:
    controller = Controller(pack_experiment(SMALL, algorithm="grid"), client)
    search(controller, batches=1, size=3)
    del controller.trials[1]
    rest = [controller.ask(1)[0].point for _ in range(3)]
    assert [point["a"] + point["b"] for point in rest] == ["2y", "3x", "3y"]


def test_a_trial_of_which_katib_sends_nothing_more_counts_as_failed(
    controller: Controller,
) -> None:
    """One that is MetricsUnavailable, also after the service was killed: Katib keeps the point."""
    search(controller, batches=5, size=2)
    silent = controller.ask(1)[0]
    others = [trial for trial in controller.trials if trial is not silent]
    known = controller.peek(2, [*others, replace(silent, state="FAILED")])
    assert controller.peek(2, others) == known
    with serving() as started:
        assert replace(controller, client=started.client).peek(2, others) == known
    assert replace(controller, kept=b"").peek(2, others) != known


def test_a_region_without_metrics_is_left(client: Client) -> None:
    """The best points lie next to it, and no trial in it is ever sent."""
    line = (parameter("double", "x", min="0", max="1"),)
    settings = {"random_state": "3", "n_initial_points": "4"}
    silent = {True: 0, False: 0}  # by whether Katib keeps what we have it keep
    for keeps in silent:
        controller = Controller(pack_experiment(line, settings=settings), client)
        for _ in range(16):
            (trial,) = controller.ask(1)
            if not keeps:
                controller.kept = b""
            x = float(trial.point["x"])
            trial.state = "SUCCEEDED"
            trial.value = repr(1 - x)
            if x > 0.6:
                controller.trials.pop()
                silent[keeps] += 1
    assert silent[True] < 8 < silent[False]


def test_trials_of_a_namesake_with_the_same_space_are_left_out(client: Client) -> None:
    """Katib sends them, too: of another namespace, or of an Experiment that was deleted."""
    experiment = pack_experiment(SPACE)
    theirs = Controller(experiment, client)
    search(theirs, batches=4, size=3)
    alone = Controller(experiment, client)
    search(alone, batches=4, size=3)
    mixed = Controller(experiment, client)
    for _ in range(4):
        mixed.trials = theirs.trials + mixed.trials
        finish(mixed.ask(3))
        mixed.trials = mixed.trials[len(theirs.trials) :]
    assert mixed.points() == alone.points()


def test_what_katib_keeps_stays_small(client: Client) -> None:
    controller = Controller(pack_experiment(SPACE), client)
    controller.ask(2000)
    assert 30_000 < len(controller.kept) < 70_000


@pytest.mark.parametrize("text", ["", "[", "[]", '{"mark": "a"}'])
def test_what_katib_keeps_may_be_damaged(controller: Controller, text: str) -> None:
    search(controller, batches=2, size=2)
    setting = pack_field(1, "tunegate.dev/asked") + pack_field(2, text)
    assert replace(controller, kept=pack_field(2, setting)).peek(2) == controller.peek(2)


def test_nothing_is_asked_nothing_is_answered(controller: Controller) -> None:
    assert controller.ask(0) == []


@pytest.mark.parametrize("service", ["", "manager.v1beta1.Suggestion", "api.v1.beta1.Suggestion"])
def test_probes_are_answered(client: Client, service: str) -> None:
    assert read_fields(
        client.call("Check", pack_field(1, service), service="grpc.health.v1.Health")
    ) == {1: [1]}


def test_a_probe_of_another_service_is_told_so(client: Client) -> None:
    code, _ = client.refusal("Check", pack_field(1, "other"), service="grpc.health.v1.Health")
    assert code == "NOT_FOUND"


@pytest.mark.skipif(not PROC.is_dir(), reason="memory is read from Linux' /proc")
def test_memory_stays_flat_over_500_trials() -> None:
    with serving() as started:

        def resident() -> float:
            status = (PROC / str(started.process.pid) / "status").read_text()
            return int(status.partition("VmRSS:")[2].split()[0]) / 1024

        controller = Controller(pack_experiment(SPACE), started.client)
        search(controller, batches=10, size=10)
        early = resident()
        search(controller, batches=40, size=10)
        assert resident() < 150
        assert resident() - early < 20


def test_a_signal_ends_it_at_once() -> None:
    with serving() as started:
        started.process.terminate()
        assert started.process.wait(PATIENCE) == 0


def test_a_port_that_is_taken_is_named(client: Client) -> None:
    with serving() as started:
        done = subprocess.run(
            command("--port", str(started.port)),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert (
        f"127.0.0.1:{started.port} cannot be listened at: name another with --port" in done.stderr
    )


def test_the_room_works_without_grpc() -> None:
    block = (
        "import sys; sys.modules.update(grpc=None, google=None); "
        "import katib, katib.local.engine, katib.search.sampler"
    )
    subprocess.run([sys.executable, "-c", block], env=environment(), check=True)
