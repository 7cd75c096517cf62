"""What the Suggestion service refuses, in which words, and that Katib's client understands it."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from support.cli import environment
from support.katib.search_spaces import parameter
from support.katib.suggestion_clients import (
    KINDS,
    Client,
    Controller,
    Started,
    pack_experiment,
    put_number,
    serving,
)
from support.serving.wire import pack_field

LINE = (parameter("double", "x", min="0", max="1"),)


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    with serving() as started:
        yield started


@pytest.fixture
def client(started: Started) -> Client:
    return started.client


def raw(
    kind: str | int,
    distribution: int = 0,
    *,
    name: str = "x",
    choices: tuple[str, ...] = (),
    **space: str,
) -> bytes:
    """Pack a parameter as it is written, however wrong."""
    numbers = {"max": 1, "min": 2, "step": 4}
    packed = b"".join(pack_field(numbers[n], v) for n, v in space.items()) + b"".join(
        pack_field(3, c) for c in choices
    )
    number = KINDS[kind] if isinstance(kind, str) else kind
    return (
        pack_field(1, name)
        + put_number(2, number)
        + pack_field(3, packed + put_number(5, distribution))
    )


def refused(client: Client, experiment: bytes) -> str:
    """Return the words with which it is refused, both when checked and when asked."""
    code, text = client.refusal("ValidateAlgorithmSettings", pack_field(1, experiment))
    again, same = client.refusal("GetSuggestions", Controller(experiment, client).request(1))
    assert (code, again, text) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT", same)
    return text


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (
            "tunegate",
            {
                "random_state": "7",
                "n_initial_points": "1",
                "scales": "declared",
                "first": "{}",
                "conditions": "{}",
            },
        ),
        (
            "bayesianoptimization",
            {"base_estimator": "RF", "n_initial_points": "5", "acq_func": "EI"},
        ),
        ("tpe", {"gamma": "0.3", "prior_weight": "1", "n_EI_candidates": "30"}),
        ("cmaes", {"sigma": "0.1", "restart_strategy": "ipop"}),
        ("sobol", {"anything": "goes", "first": "even this"}),
    ],
)
def test_settings_that_katibs_services_take_are_taken(
    client: Client, algorithm: str, settings: dict[str, str]
) -> None:
    experiment = pack_experiment(LINE, algorithm=algorithm, settings=settings)
    client.validate(experiment)
    assert len(Controller(experiment, client).peek(2)) == 2


@pytest.mark.parametrize(
    ("algorithm", "settings", "words"),
    [
        (
            "tunegate",
            {"seed": "1"},
            "seed is not a setting of tunegate (known: random_state, n_initial_points",
        ),
        ("tunegate", {"random_state": "-1"}, "'-1' is not allowed for random_state"),
        ("tunegate", {"n_initial_points": "0"}, "'0' is not allowed for n_initial_points"),
        ("tunegate", {"conditions": '{"x": {"y": ["a"]}}'}, "conditions: there is no parameter y"),
        ("tunegate", {"conditions": '["x"]'}, "conditions: not of the form {"),
        ("tunegate", {"first": "depth=3"}, "'depth=3' is not allowed for first"),
        ("tunegate", {"first": '{"x": [1]}'}, "is not allowed for first"),
        ("tunegate", {"first": '{"x": NaN}'}, "is not allowed for first"),
        ("tunegate", {"first": '{"x": 1' + "0" * 400 + "}"}, "is not allowed for first"),
        ("tunegate", {"first": "[" * 100_000}, "algorithmSettings, first: '[[["),
        ("bayesianoptimization", {"acq_func": "UCB"}, "'UCB' is not allowed for acq_func"),
        ("hyperband", {}, "algorithm 'hyperband' is not served here (served: random, grid"),
        ("", {}, "algorithm '' is not served here"),
    ],
)
def test_a_bad_setting_is_named(
    client: Client, algorithm: str, settings: dict[str, str], words: str
) -> None:
    assert words in refused(client, pack_experiment(LINE, algorithm=algorithm, settings=settings))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (
            raw("int", min="5", max="1"),
            "spec.parameters[0].feasibleSpace: min 5 is not below max 1",
        ),
        (
            raw("double", min="0", max="1", step="2"),
            "feasibleSpace.step: must be above 0 and not above max - min",
        ),
        (raw("double", min="a", max="1"), "feasibleSpace.min: 'a' is not a finite double"),
        (raw("int", min="1.5", max="3"), "'1.5' is not a finite int"),
        (raw("double", max="1"), "min and max are needed for double"),
        (raw("double", 2, min="0", max="1"), "logUniform needs a min above 0"),
        (raw("double", 4, min="-1", max="1"), "logNormal needs a min above 0"),
        (raw("double", 9, min="0", max="1"), "feasibleSpace.distribution: must be one of uniform"),
        (raw("categorical"), "list is needed for categorical"),
        (raw("categorical", choices=("a", "a")), "a value occurs twice"),
        (raw("discrete", choices=("1", "many")), "'many' is not a finite number (use categorical)"),
        (raw(0, min="0", max="1"), "parameterType: must be int, double, discrete or categorical"),
        (raw("int", name="", min="1", max="2"), "spec.parameters[0].name: is missing"),
    ],
)
def test_a_bad_space_is_refused_in_lints_words(client: Client, space: bytes, words: str) -> None:
    assert words in refused(client, pack_experiment([space]))


def test_a_step_as_wide_as_the_range_is_taken_whatever_the_floats_say(client: Client) -> None:
    experiment = pack_experiment([raw("double", min="0.2", max="0.3", step="0.1")])
    client.validate(experiment)
    assert {point["x"] for point in Controller(experiment, client).peek(2)} == {"0.2", "0.3"}


def test_everything_that_is_wrong_is_said_at_once(client: Client) -> None:
    spaces = [raw("int", min="5", max="1"), raw("categorical", name="y")]
    text = refused(
        client, pack_experiment(spaces, settings={"seed": "1"}, objective=put_number(1, 0))
    )
    for words in (
        "seed is not",
        "[0].feasibleSpace: min 5",
        "[1].feasibleSpace: list",
        "objective.type: must be",
    ):
        assert words in text


def test_an_experiment_without_parameters_is_refused(client: Client) -> None:
    assert "spec.parameters: is missing or empty" in refused(client, pack_experiment([]))
    assert "spec.objective.type: must be" in refused(client, b"")


def test_a_grid_smaller_than_the_number_of_trials_is_refused(client: Client) -> None:
    small = [parameter("int", "x", min="1", max="3")]
    assert "maxTrialCount 4 is above the 3 points" in refused(
        client, pack_experiment(small, algorithm="grid", most=4)
    )
    client.validate(pack_experiment(small, algorithm="grid", most=3))
    assert "needs a step" in refused(client, pack_experiment(LINE, algorithm="grid"))
    huge = [parameter("int", "x", min="1", max="1000000001")]
    assert "the grid has 1000000001 points, more than" in refused(
        client, pack_experiment(huge, algorithm="grid")
    )


@pytest.mark.parametrize("count", [10_001, 2**64 - 1])
def test_a_senseless_number_of_points_is_refused(client: Client, count: int) -> None:
    request = pack_field(1, pack_experiment(LINE)) + put_number(4, count)
    code, text = client.refusal("GetSuggestions", request)
    assert code == "INVALID_ARGUMENT"
    assert "current_request_number must be 0 to 10000" in text


def test_bytes_that_are_no_message_do_not_end_it(client: Client) -> None:
    client.refusal("GetSuggestions", b"\xff" * 9)
    client.validate(pack_experiment(LINE))


def test_many_trials_fit_into_a_request(client: Client) -> None:
    wide = [
        parameter("categorical", f"p{i}", list=[f"{n:0120}" for n in range(3)]) for i in range(8)
    ]
    controller = Controller(pack_experiment(wide, algorithm="random"), client)
    for _ in range(2):  # an answer, too, is 4 MiB at most
        for trial in controller.ask(2000):
            trial.state = "SUCCEEDED"
            trial.value = "1"
    request = controller.request(2)
    assert len(request) > 4 << 20
    assert len(client.suggest(request)) == 2


def test_katibs_own_stubs_understand_it(started: Started) -> None:
    """In a process of its own: Katib's client pulls in Kubernetes, and warns."""
    pytest.importorskip("kubeflow.katib", reason="the extra `cluster` is not installed")
    script = """
        import sys, grpc
        from kubeflow.katib import katib_api_pb2 as pb, katib_api_pb2_grpc as rpc
        space = pb.FeasibleSpace(min="1", max="8", distribution=pb.LOG_UNIFORM)
        objective = pb.ObjectiveSpec(type=pb.MAXIMIZE, goal=3.5, objective_metric_name="r2")
        parameter = pb.ParameterSpec(name="x", parameter_type=pb.INT, feasible_space=space)
        spec = pb.ExperimentSpec(
            parameter_specs=pb.ExperimentSpec.ParameterSpecs(parameters=[parameter]),
            objective=objective, algorithm=pb.AlgorithmSpec(algorithm_name="tunegate"),
            early_stopping=pb.EarlyStoppingSpec(algorithm_name="medianstop"),
            parallel_trial_count=2, max_trial_count=9)
        experiment = pb.Experiment(name="theirs", spec=spec)
        def trial(name, x):
            observed = pb.Observation(metrics=[pb.Metric(name="r2", value="0.5")])
            status = pb.TrialStatus(condition=pb.TrialStatus.SUCCEEDED, observation=observed)
            assignment = pb.ParameterAssignment(name="x", value=x)
            chosen = pb.TrialSpec.ParameterAssignments(assignments=[assignment])
            spec = pb.TrialSpec(objective=objective, parameter_assignments=chosen)
            return pb.Trial(name=name, spec=spec, status=status)
        past = [trial(f"theirs-{x}", str(x)) for x in range(1, 7)]
        request = pb.GetSuggestionsRequest(
            experiment=experiment, trials=past, current_request_number=2, total_request_number=8)
        with grpc.insecure_channel(sys.argv[1]) as channel:
            stub = rpc.SuggestionStub(channel)
            stub.ValidateAlgorithmSettings(pb.ValidateAlgorithmSettingsRequest(experiment=experiment))
            for point in stub.GetSuggestions(request).parameter_assignments:
                pairs = [(a.name, a.value) for a in point.assignments]
                print(point.trial_name.rpartition("-")[0], pairs)
    """
    words = [sys.executable, "-c", textwrap.dedent(script), f"127.0.0.1:{started.port}"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {line.partition(" ")[0] for line in lines} == {"theirs-6", "theirs-7"}
    assert {line.partition(" ")[2] for line in lines} == {"[('x', '7')]", "[('x', '8')]"}
