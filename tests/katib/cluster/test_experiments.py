import copy
import json
from typing import Any

import pytest
from support.cluster.recordings import CASES, recorded_case
from support.cluster.replays import Replay, katib_on, load_replay
from support.katib.experiments import as_document, build_document, using_parameters

from katib.cluster.experiments import Progress
from katib.cluster.spec_diff import first_difference
from katib.errors import AlreadyExists, ClusterUnreachable, Gone, Missing, TimedOut
from katib.experiment import Experiment, to_experiment, with_defaults
from katib.objects import is_finished, state

AWAY = ClusterUnreachable("away")


def grid_experiment(**options: Any) -> Experiment:  # noqa: ANN401 - fields of a spec
    return to_experiment(
        as_document(using_parameters(build_document("true", container={"image": "x"}, **options))),
        local=False,
    )


def trial_names(progress: Progress) -> set[str]:
    return {trial["metadata"]["name"] for trial in progress.finished}


def watch_event(
    name: str, *conditions: str, seconds: float = 0, uid: str = "u", kind: str = "Experiment"
) -> dict[str, Any]:
    """Return the event that brings an object with these conditions, the last of which holds."""
    last = len(conditions) - 1
    listed = [{"type": each, "status": str(index == last)} for index, each in enumerate(conditions)]
    metadata = {"name": name, "uid": uid, "resourceVersion": f"{seconds}", "labels": {}}
    if kind == "Trial":
        metadata["ownerReferences"] = [{"kind": "Experiment", "uid": "u"}]
    status = {"conditions": listed}
    return {
        "seconds": seconds,
        "type": "MODIFIED",
        "object": {"kind": kind, "metadata": metadata, "status": status},
    }


# Submit


def test_an_experiment_is_created_as_it_is_written_in_the_namespace() -> None:
    cluster = Replay([])
    made, created = katib_on(cluster).submit(grid_experiment())
    assert created
    assert made["metadata"]["namespace"] == "tuning"
    assert "metricsCollectorSpec" not in made["spec"]  # Katib has defaults of its own
    assert "successCondition" not in made["spec"]["trialTemplate"]


def test_the_same_experiment_is_found_again_with_the_defaults_that_katib_added() -> None:
    cluster = Replay([])
    katib_on(cluster).submit(grid_experiment())
    there = next(iter(cluster.known.values()))
    there["spec"] = with_defaults(there)["spec"] | {"newDefault": "of a later Katib"}
    found, created = katib_on(cluster).submit(grid_experiment())
    assert not created
    assert found["metadata"]["uid"] == there["metadata"]["uid"]
    assert len(cluster.created) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"maxTrialCount": 5}, "spec.maxTrialCount: 4 here, 5 there"),
        ({"maxFailedTrialCount": 1}, "spec.maxFailedTrialCount: nothing here, 1 there"),
        (
            {"objective": {"type": "maximize", "objectiveMetricName": "mse"}},
            "spec.objective.type: minimize here, max",
        ),
        ({"parallelTrialCount": 1}, "spec.parallelTrialCount: 2 here, 1 there"),
        ({"parameters": []}, "spec.parameters: 1 entries here, 0 entries there"),
    ],
)
def test_another_experiment_of_that_name_is_not_touched_and_the_field_named(
    change: dict[str, Any], field: str
) -> None:
    cluster = Replay([])
    katib_on(cluster).submit(grid_experiment())
    there = next(iter(cluster.known.values()))
    there["spec"] = {**with_defaults(there)["spec"], **change}
    with pytest.raises(AlreadyExists, match=field) as caught:
        katib_on(cluster).submit(grid_experiment())
    assert "kubectl delete experiment tiny -n tuning" in caught.value.hint
    assert len(cluster.created) == 1


@pytest.mark.parametrize("case", [name for name in CASES if "experiment" in recorded_case(name)])
def test_a_real_katibs_defaults_make_no_difference(case: str) -> None:
    found = recorded_case(case)
    assert (
        first_difference(with_defaults(found["applied"])["spec"], found["experiment"]["spec"]) == ""
    )


def test_what_stands_only_in_the_clusters_template_counts() -> None:
    cluster = Replay([])
    katib_on(cluster).submit(grid_experiment())
    there = next(iter(cluster.known.values()))
    there["spec"] = copy.deepcopy(with_defaults(there)["spec"])
    there["spec"]["trialTemplate"]["trialSpec"]["spec"]["ttlSecondsAfterFinished"] = 9
    with pytest.raises(AlreadyExists, match="ttlSecondsAfterFinished: nothing here, 9 there"):
        katib_on(cluster).submit(grid_experiment())


def test_one_that_is_being_deleted_is_not_followed() -> None:
    cluster = Replay([])
    katib_on(cluster).submit(grid_experiment())
    next(iter(cluster.known.values()))["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(AlreadyExists, match="is being deleted"):
        katib_on(cluster).submit(grid_experiment())


def test_a_generated_name_makes_a_new_one_each_time() -> None:
    cluster = Replay([])
    document = build_document("true", container={"image": "x"})
    document["metadata"] = {"generateName": "tiny-"}
    what = to_experiment(as_document(using_parameters(document)), local=False)
    made, created = katib_on(cluster).submit(what)
    assert created
    assert made["metadata"]["name"] == "tiny-x1"
    assert made["metadata"]["generateName"] == "tiny-"


# Follow


def test_a_straggler_that_ends_after_the_experiment_is_waited_for_though_the_counters_froze() -> (
    None
):
    cluster = load_replay("b-goal")
    seen = list(katib_on(cluster).follow("goal"))
    last = seen[-1]
    assert last.experiment["status"]["trialsPending"] == 1  # for ever
    assert len(last.trials) == 5
    assert not last.unfinished
    assert "goal-b2bd86xc" in trial_names(seen[-1])
    assert not next(each for each in seen if each.ended).trials[-1]["status"].get("completionTime")
    finished = [name for progress in seen for name in trial_names(progress)]
    assert len(finished) == len(set(finished)) == 5
    assert cluster.clock.now < 60


def test_stragglers_are_waited_for_only_so_long() -> None:
    events = [
        watch_event("e", "Created"),
        watch_event("e-1", "Running", kind="Trial", uid="1"),
        watch_event("e", "Succeeded", seconds=5),
    ]
    cluster = Replay(events)
    last = list(katib_on(cluster).follow("e", stragglers=90))[-1]
    assert len(last.unfinished) == 1
    assert 90 <= cluster.clock.now < 100


def test_the_first_end_of_a_restarted_experiment_is_an_end() -> None:
    cluster = load_replay("f-retain")
    assert [state(progress.experiment) for progress in katib_on(cluster).follow("retained")][
        -1
    ] == "Succeeded"


def test_an_experiment_failed_by_its_suggestion_ends_though_it_has_no_completion_time() -> None:
    last = list(katib_on(load_replay("h-bad-setting")).follow("bad-setting"))[-1]
    assert last.ended
    assert state(last.experiment) == "Failed"
    assert "completionTime" not in last.experiment["status"]


def test_the_state_is_the_last_condition_that_holds() -> None:
    found = [
        state(event["object"])
        for event in load_replay("f-retain").events
        if event["object"]["kind"] == "Experiment"
    ]
    assert list(dict.fromkeys(found)) == ["Created", "Running", "Succeeded"]
    assert found.count("Succeeded") >= 2
    assert (
        found[found.index("Succeeded") :].count("Running") > 0
    )  # restarted: `Restarting` holds, and does not count


@pytest.mark.parametrize(
    "kind", ["Succeeded", "Failed", "Killed", "MetricsUnavailable", "EarlyStopped"]
)
def test_a_trial_is_over_in_five_ways(kind: str) -> None:
    assert is_finished(watch_event("t", "Created", "Running", kind)["object"])
    assert not is_finished(watch_event("t", "Created", "Running")["object"])


def test_broken_connections_change_nothing_and_nothing_is_told_twice() -> None:
    undisturbed = list(katib_on(load_replay("b-goal")).follow("goal"))
    cluster = load_replay("b-goal")
    cluster.faults = [
        None,
        None,
        None,
        AWAY,
        AWAY,
        AWAY,
        None,
        None,
        AWAY,
        None,
        None,
        None,
        None,
        AWAY,
    ] * 3
    said: list[str] = []
    seen = list(katib_on(cluster, said.append).follow("goal"))
    finished = [name for progress in seen for name in trial_names(progress)]
    assert len(finished) == len(set(finished)) == 5
    assert seen[-1].trials == undisturbed[-1].trials
    assert seen[-1].experiment == undisturbed[-1].experiment
    assert said
    assert all("trying again for 300 s" in line for line in said)


def test_an_api_server_that_stays_away_ends_the_patience() -> None:
    cluster = load_replay("b-goal")
    cluster.faults = [None, None, *[AWAY] * 1000]
    with pytest.raises(ClusterUnreachable):
        list(katib_on(cluster).follow("goal", patience=120))
    assert 120 <= cluster.clock.now < 140
    assert len(cluster.asked) < 30  # the pauses grow


def test_the_time_given_ends_the_patience_too() -> None:
    cluster = load_replay("b-goal")
    cluster.faults = [None, None, *[AWAY] * 1000]
    with pytest.raises(ClusterUnreachable):
        list(katib_on(cluster).follow("goal", timeout=20))
    assert cluster.clock.now < 22


def test_watches_that_end_at_once_are_not_asked_for_without_a_pause() -> None:
    cluster = Replay([watch_event("e", "Created")])
    cluster.watch = lambda *_, **__: iter(())  # type: ignore[method-assign]
    with pytest.raises(TimedOut):
        list(katib_on(cluster).follow("e", timeout=100))
    assert len(cluster.asked) < 40


def test_an_experiment_that_was_quiet_for_longer_than_versions_are_kept_is_followed_on() -> None:
    cluster = Replay([watch_event("e", "Created"), watch_event("e", "Succeeded", seconds=10_000)])
    assert state(list(katib_on(cluster).follow("e"))[-1].experiment) == "Succeeded"


def test_a_deleted_experiment_is_gone() -> None:
    deleted = {**watch_event("e", "Running", seconds=5), "type": "DELETED"}
    with pytest.raises(Gone, match="tuning/e was deleted"):
        list(katib_on(Replay([watch_event("e", "Running"), deleted])).follow("e"))


def test_another_experiment_under_the_same_name_is_not_taken_for_it() -> None:
    deleted = {**watch_event("e", "Running", seconds=5), "type": "DELETED"}
    cluster = Replay(
        [watch_event("e", "Running"), deleted, watch_event("e", "Succeeded", seconds=5, uid="new")]
    )
    with pytest.raises(Gone):
        list(katib_on(cluster).follow("e"))


def test_one_that_is_deleted_while_stragglers_run_is_gone() -> None:
    events = [watch_event("e", "Succeeded"), watch_event("e-1", "Running", kind="Trial", uid="1")]
    events += [{**watch_event("e", "Succeeded", seconds=5), "type": "DELETED"}]
    events += [
        {**watch_event("e-1", "Running", seconds=6, kind="Trial", uid="1"), "type": "DELETED"}
    ]
    with pytest.raises(Gone):
        list(katib_on(Replay(events)).follow("e"))


def test_trials_of_an_earlier_experiment_of_that_name_are_not_its_own() -> None:
    stale = watch_event("e-0", "Succeeded", kind="Trial", uid="0")
    stale["object"]["metadata"]["ownerReferences"] = [{"kind": "Experiment", "uid": "old"}]
    last = list(katib_on(Replay([stale, watch_event("e", "Succeeded")])).follow("e"))[-1]
    assert last.trials == ()


def test_the_time_given_ends_it() -> None:
    cluster = Replay([watch_event("e", "Running")])
    with pytest.raises(TimedOut, match="not over in the time given, Running") as caught:
        list(katib_on(cluster).follow("e", timeout=30))
    assert cluster.clock.now == pytest.approx(30, abs=1)
    assert "tunegate doctor --experiment e" in caught.value.hint


def test_an_experiment_may_be_waited_for_before_it_is_there() -> None:
    cluster = Replay(
        [watch_event("e", "Created", seconds=50), watch_event("e", "Succeeded", seconds=200)]
    )
    assert list(katib_on(cluster).follow("e", appear=120))[-1].ended


@pytest.mark.parametrize("appear", [0, 40])
def test_one_that_does_not_appear_is_missing(appear: float) -> None:
    cluster = Replay([])
    with pytest.raises(Missing, match="tuning/e: there is none of that name"):
        list(katib_on(cluster).follow("e", appear=appear))
    assert cluster.clock.now == pytest.approx(appear, abs=1)


def test_what_is_yielded_can_be_written_as_json() -> None:
    assert json.dumps(
        [progress.experiment for progress in katib_on(load_replay("b-goal")).follow("goal")]
    )


# What only this machine cannot run


def test_reading_for_a_cluster_lets_through_what_only_this_machine_cannot_run() -> None:
    settings = [{"name": "r_l", "value": "1"}, {"name": "resource_name", "value": "x"}]
    algorithm = {"algorithmName": "hyperband", "algorithmSettings": settings}
    document = as_document(
        using_parameters(build_document("true", container={"image": "x"}, algorithm=algorithm))
    )
    with pytest.raises(Exception, match="K301"):
        to_experiment(document)
    assert to_experiment(document, local=False).algorithm == "hyperband"


def test_reading_for_a_cluster_still_refuses_what_katib_hangs_on() -> None:
    document = using_parameters(build_document("true"))
    document["spec"]["trialTemplate"]["primaryContainerName"] = "other"
    with pytest.raises(Exception, match="K231"):
        to_experiment(as_document(document), local=False)


def test_conditions_of_a_job_are_not_put_into_templates_of_other_kinds() -> None:
    document = using_parameters(build_document("true", container={"image": "x"}))
    template = document["spec"]["trialTemplate"]
    job = template["trialSpec"]
    master = {"replicas": 1, "template": job["spec"]["template"]}
    job |= {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}
    job["spec"] = {"pytorchReplicaSpecs": {"Master": master}}
    read = to_experiment(as_document(document), local=False)
    assert "successCondition" not in read.spec["trialTemplate"]
