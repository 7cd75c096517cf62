"""The EarlyStopping service as Katib's controller and collector meet it: over gRPC."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cli import environment
from support.katib.early_stopping import SERVICE, Asking, Database, Rule, database, pack_early
from support.katib.experiments import PROC, as_document, build_document, make_experiment
from support.katib.suggestion_clients import Client, Started, Trial, command, serving
from support.patience import patience
from support.serving.servers import PATIENCE, await_true, free_port
from support.serving.wire import pack_field

from katib.early_stopping import DEFAULTS, stop_rule
from katib.lint import lint_document, only_errors
from katib.metrics_collector import number
from katib.trial import Trial as LocalTrial

MODULE = "katib.earlystopping"
LESS = 2
GREATER = 3
STATES = {
    "Succeeded": "SUCCEEDED",
    "EarlyStopped": "EARLYSTOPPED",
    "Failed": "FAILED",
    "Running": "RUNNING",
}
LATEST = [{"name": "mse", "value": "latest"}]


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    with serving(module=MODULE) as started:
        yield started


@pytest.fixture(scope="module")
def client(started: Started) -> Client:
    return started.client


@pytest.fixture(scope="module")
def running() -> Iterator[Database]:
    with database() as made:
        yield made


@pytest.fixture
def reports(running: Database) -> Database:
    running.series.clear()
    running.asked.clear()
    running.before = lambda _trial, _context: None
    return running


@pytest.fixture
def asking(client: Client, reports: Database) -> Asking:
    return Asking(client, f"127.0.0.1:{reports.port}")


def show(asking: Asking, reports: Database, *series: tuple[str, ...]) -> None:
    """Let trials with these reports have succeeded; the last one is the value."""
    for number_, one in enumerate(series):
        name = f"tiny-{number_}-bbbbbbbb"
        reports.series[name] = one
        asking.trials.append(Trial(name, {"x": "1"}, value=one[-1] if one else None))


THREE = (("4", "2"), ("6", "3"), ("8", "4"))


def test_medianstop_compares_with_the_mean_of_the_first_reports(
    asking: Asking, reports: Database
) -> None:
    asking.early = pack_early("medianstop", {"start_step": "2"})
    show(asking, reports, ("1", "3", "100"), ("4", "6"), ("8.5",))
    assert asking.rules() == [("mse", fmean([2.0, 5.0, 8.5]), GREATER, 2)]


def test_tunegate_compares_with_the_best_trial_after_as_many_reports(
    asking: Asking, reports: Database
) -> None:
    show(asking, reports, *THREE)
    assert asking.rules() == [("mse", 5.5, GREATER, 1)]


def test_where_more_is_better_a_trial_with_less_is_stopped(
    asking: Asking, reports: Database
) -> None:
    asking.minimize = False
    show(asking, reports, ("2", "4"), ("3", "6"), ("4", "8"))
    assert asking.rules() == [("mse", 3.25, LESS, 1)]


def test_of_equal_trials_the_first_is_the_best_whatever_order_katib_lists_them_in(
    asking: Asking, reports: Database
) -> None:
    asking.early = pack_early("tunegate", {"margin": "0"})
    show(asking, reports, ("5", "1"), ("9", "1"), ("9", "3"))
    for _ in range(2):
        assert asking.rules() == [("mse", 5.0, GREATER, 1)]
        asking.trials.reverse()


def test_there_is_no_rule_before_enough_trials_have_ended(
    asking: Asking, reports: Database
) -> None:
    assert asking.rules() == []
    show(asking, reports, *THREE[:2])
    assert asking.rules() == []


def test_reports_without_a_number_and_trials_without_reports_are_passed_over(
    asking: Asking, reports: Database
) -> None:
    show(
        asking,
        reports,
        ("nan", "4", "2"),
        ("", "6", "unavailable", "3"),
        ("8", "4"),
        ("unavailable",),
        (),
    )
    asking.trials.append(Trial("tiny-9-bbbbbbbb", {"x": "1"}, value="nan"))
    assert asking.rules() == [("mse", 5.5, GREATER, 1)]


def test_trials_of_others_are_left_out(asking: Asking, reports: Database) -> None:
    show(asking, reports, *THREE)
    best = asking.trials[0]
    reports.series |= {"foreign": ("0.1",)}
    asking.trials.append(replace(best, name="foreign", value="0.1", point={"other": "1"}))
    other_metric = pack_field(
        2, replace(best, name="foreign", value="0.1").pack(pack_field(3, "mae"))
    )
    assert asking.rules(other_metric) == [("mse", 5.5, GREATER, 1)]
    assert "foreign" not in reports.asked


def test_losses_near_the_largest_number_give_no_rule(asking: Asking, reports: Database) -> None:
    show(asking, reports, *[("1.7e308", "1.7e308")] * 3)
    assert asking.rules() == []
    asking.early = pack_early("medianstop")
    assert asking.rules() == []


def test_a_start_step_that_the_protocol_cannot_say_gives_no_rule(
    asking: Asking, reports: Database
) -> None:
    asking.early = pack_early("medianstop", {"start_step": "9" * 18})
    show(asking, reports, *THREE)
    assert asking.rules() == []


# The same rule as on one machine

NUMBER = st.integers(-4, 4).map(str)  # so that there are ties
SERIES = st.lists(
    st.one_of(NUMBER, NUMBER, st.sampled_from(["nan", "", "unavailable", "0.1", "1e-3"])),
    max_size=5,
)
VALUE = st.one_of(NUMBER, NUMBER, st.sampled_from([None, "nan"]))
STATE = st.sampled_from([*STATES, "Succeeded", "Succeeded", "EarlyStopped"])
SETTINGS = {
    "start_step": st.integers(1, 3).map(str),
    "min_trials_required": st.integers(1, 3).map(str),
    "margin": st.sampled_from(["0", "0.5", "2"]),
}


@st.composite
def stopping(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    name = draw(st.sampled_from(sorted(DEFAULTS)))
    return name, draw(
        st.fixed_dictionaries(
            {}, optional={setting: SETTINGS[setting] for setting in DEFAULTS[name]}
        )
    )


def local_rule(
    early: tuple[str, dict[str, str]], kind: str, trials: list[LocalTrial]
) -> list[Rule]:
    settings = [{"name": name, "value": value} for name, value in early[1].items()]
    what = make_experiment(
        "run",
        objective={"type": kind, "objectiveMetricName": "mse", "metricStrategies": LATEST},
        earlyStopping={"algorithmName": early[0], "algorithmSettings": settings},
    )
    rule = stop_rule(what, trials)
    comparison = GREATER if kind == "minimize" else LESS
    return [] if rule.limit is None else [("mse", rule.limit, comparison, rule.start_step)]


@settings(max_examples=300)
@given(
    stopping(),
    st.sampled_from(["minimize", "maximize"]),
    st.lists(st.tuples(STATE, SERIES, VALUE), min_size=1, max_size=8),
    st.permutations(range(8)),
)
def test_the_limit_is_the_local_engines(
    client: Client,
    running: Database,
    early: tuple[str, dict[str, str]],
    kind: str,
    ended: list[tuple[str, list[str], str | None]],
    order: list[int],
) -> None:
    """Whatever order Katib lists the trials in."""
    local = []
    theirs = []
    for index, (state, series, value) in enumerate(ended):
        name = f"tiny-{index}-{'bcdf'[index % 4] * 8}"
        finite = tuple(report for each in series if (report := number(each)) is not None)
        observed = ({"name": "mse", "latest": value or ""},)
        local.append(LocalTrial(index, name, {}, state, series=finite, observation=observed))
        theirs.append(Trial(name, {"x": "1"}, STATES[state], value))
        running.series[name] = series
    listed = [theirs[index] for index in order if index < len(theirs)]
    asking = Asking(
        client, f"127.0.0.1:{running.port}", pack_early(*early), kind == "minimize", listed
    )
    assert asking.rules() == local_rule(early, kind, local)


# What fails beside it


def test_killed_and_started_again_between_any_two_calls_it_gives_the_same_rules(
    asking: Asking, reports: Database
) -> None:
    unbroken = []
    broken = []
    for count, series in enumerate([*THREE, ("3", "1")], 1):
        asking.trials.clear()
        show(asking, reports, *[*THREE, series][:count])
        unbroken.append(asking.rules())
        with serving(module=MODULE) as started:
            broken.append(replace(asking, client=started.client).rules())
            started.process.kill()
    assert broken == unbroken
    assert [len(rules) for rules in unbroken] == [0, 0, 1, 1]


def test_without_katibs_database_trials_go_on_without_a_rule(
    asking: Asking, reports: Database
) -> None:
    """After an error Katib would throw away the points that it has just got, again and again."""
    show(asking, reports, *THREE)
    for address in (f"127.0.0.1:{free_port()}", "", "nowhere.invalid:6789"):
        assert replace(asking, address=address).rules() == []

    def refuse(trial: str, context: Any) -> None:  # noqa: ANN401 - grpc has no types
        if trial == asking.trials[1].name:
            raise OSError("no row")

    reports.before = refuse
    assert asking.rules() == []


def test_it_asks_for_the_reports_of_those_trials_only_that_count(
    asking: Asking, reports: Database
) -> None:
    show(asking, reports, *THREE, ("1",), ("1",))
    asking.trials[3].state = "FAILED"
    asking.trials[4].state = "RUNNING"
    assert len(asking.rules()) == 1
    assert sorted(reports.asked) == [trial.name for trial in asking.trials[:3]]


def test_a_signal_ends_it_at_once_though_the_database_hangs(
    asking: Asking, reports: Database
) -> None:
    show(asking, reports, *THREE)
    with serving(module=MODULE) as started:
        reports.before = lambda _trial, context: await_true(
            lambda: not context.is_active(), "the call to be given up"
        )
        call = started.client.channel.unary_unary(f"/{SERVICE}/GetEarlyStoppingRules").future(
            asking.request()
        )
        await_true(lambda: reports.asked, "the database to be asked")
        began = time.monotonic()
        started.process.terminate()
        assert started.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < patience(10)  # of the 20 s that the reports may take
        assert call.code().name in {"UNAVAILABLE", "CANCELLED"}


def test_it_listens_where_katib_expects_it_and_names_a_port_that_is_taken(started: Started) -> None:
    done = subprocess.run(
        command("--port", str(started.port), module=MODULE),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        f"127.0.0.1:{started.port} cannot be listened at: name another with --port" in done.stderr
    )
    told = subprocess.run(
        command("--help", module=MODULE),
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Katib expects 6788" in told.stdout


def test_the_health_check_knows_it(client: Client) -> None:
    health = "grpc.health.v1.Health"
    for name in ("", "manager.v1beta1.EarlyStopping", SERVICE):
        assert client.call("Check", pack_field(1, name), service=health) == b"\x08\x01"
    assert client.refusal("Check", pack_field(1, "other"), service=health)[0] == "NOT_FOUND"


@pytest.mark.skipif(not PROC.is_dir(), reason="memory is read from /proc")
def test_its_memory_is_bounded(asking: Asking, reports: Database) -> None:
    show(asking, reports, *[("1", "2", "3")] * 200)
    with serving(module=MODULE) as started:
        mine = replace(asking, client=started.client)
        resident = []
        for _ in range(3):
            for _ in range(5):
                assert len(mine.rules()) == 1
            status = (PROC / str(started.process.pid) / "status").read_text()
            resident.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
        assert max(resident) < 64
        assert all(later - sooner < 8 for sooner, later in pairwise(resident))


# Settings


def refused(client: Client, name: str, settings: dict[str, str]) -> str:
    """Return the words with which they are refused, when checked and when a rule is asked for."""
    early = pack_early(name, settings)
    code, text = client.refusal(
        "ValidateEarlyStoppingSettings", pack_field(1, early), service=SERVICE
    )
    again, same = client.refusal(
        "GetEarlyStoppingRules", Asking(client, "", early).request(), service=SERVICE
    )
    assert (code, again, text) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT", same)
    return text


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("medianstop", {"margin": "0.5"}),
        ("medianstop", {"start_step": "0"}),
        ("tunegate", {"margin": "-0.1", "start_step": "1.5", "patience": "3"}),
        ("tunegate", {"margin": "nan"}),
        ("tunegate", {"min_trials_required": "9" * 20}),
        ("hyperband", {}),
        ("", {}),
    ],
)
def test_what_is_wrong_with_settings_is_said_at_once_in_lints_words(
    client: Client, name: str, settings: dict[str, str]
) -> None:
    entries = [{"name": setting, "value": value} for setting, value in settings.items()]
    document = as_document(
        build_document("run", earlyStopping={"algorithmName": name, "algorithmSettings": entries})
    )
    found = [
        each
        for each in only_errors(lint_document(document))
        if each.field.startswith("spec.earlyStopping")
    ]
    assert len(found) == max(len(settings), 1)
    text = refused(client, name, settings)
    assert all(f"{each.field}: {each.message}" in text for each in found)


@pytest.mark.parametrize("name", ["medianstop", "tunegate"])
def test_good_settings_are_taken(client: Client, name: str) -> None:
    for given_ in ({}, {"start_step": "1", "min_trials_required": "5"}):
        assert (
            client.call(
                "ValidateEarlyStoppingSettings", pack_field(1, pack_early(name, given_)), SERVICE
            )
            == b""
        )


def test_bytes_that_are_no_message_do_not_end_it(client: Client) -> None:
    client.refusal("GetEarlyStoppingRules", b"\xff" * 9, service=SERVICE)
    assert client.call("ValidateEarlyStoppingSettings", pack_field(1, pack_early()), SERVICE) == b""


def test_katibs_own_stubs_understand_it(started: Started, reports: Database) -> None:
    """In a process of its own: Katib's client pulls in Kubernetes, and warns."""
    pytest.importorskip("kubeflow.katib", reason="the extra `cluster` is not installed")
    reports.series |= {f"theirs-{i}": (str(i), str(i)) for i in range(1, 4)}
    script = """
        import sys, grpc
        from kubeflow.katib import katib_api_pb2 as pb, katib_api_pb2_grpc as rpc
        setting = pb.EarlyStoppingSetting(name="min_trials_required", value="3")
        early = pb.EarlyStoppingSpec(algorithm_name="medianstop", algorithm_settings=[setting])
        objective = pb.ObjectiveSpec(type=pb.MAXIMIZE, goal=3.5, objective_metric_name="r2")
        spec = pb.ExperimentSpec(objective=objective, early_stopping=early, max_trial_count=9)
        def trial(name, value):
            observed = pb.Observation(metrics=[pb.Metric(name="r2", value=value)])
            status = pb.TrialStatus(condition=pb.TrialStatus.SUCCEEDED, observation=observed)
            return pb.Trial(name=name, spec=pb.TrialSpec(objective=objective), status=status)
        request = pb.GetEarlyStoppingRulesRequest(
            experiment=pb.Experiment(name="theirs", spec=spec), db_manager_address=sys.argv[2],
            trials=[trial(f"theirs-{x}", str(x)) for x in range(1, 4)])
        with grpc.insecure_channel(sys.argv[1]) as channel:
            stub = rpc.EarlyStoppingStub(channel)
            stub.ValidateEarlyStoppingSettings(pb.ValidateEarlyStoppingSettingsRequest(early_stopping=early))
            for rule in stub.GetEarlyStoppingRules(request).early_stopping_rules:
                comparison = pb.ComparisonType.Name(rule.comparison)
                print(rule.name, rule.value, comparison, rule.start_step)
            try:
                stub.SetTrialStatus(pb.SetTrialStatusRequest(trial_name="theirs-1"))
            except grpc.RpcError as error:
                print(error.code().name)
    """
    places = [f"127.0.0.1:{port}" for port in (started.port, reports.port)]
    words = [sys.executable, "-c", textwrap.dedent(script), *places]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["r2 2.0 LESS 4", "FAILED_PRECONDITION"]
