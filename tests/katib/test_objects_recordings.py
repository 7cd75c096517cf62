"""The ranking reads what a real Katib wrote; recordings/README.md says what each case is."""

from pathlib import Path

from support.katib.trial_objects import recorded_objects

from katib.objects import count_states, rank

RECORDINGS = Path(__file__).parent / "recordings" / "objects"


def test_six_trials_are_ranked_by_their_objective_though_metrics_come_in_random_order() -> None:
    trials = recorded_objects(RECORDINGS / "a-normal")
    first = [each["status"]["observation"]["metrics"][0]["name"] for each in trials]
    assert set(first) == {"mse", "r2"}  # or this recording shows nothing
    ranked = rank(trials)
    assert [entry.value for entry in ranked] == [10.2, 11.7, 17.1, 25.8, 26.3, 28.88]
    assert ranked[0].trial == "normal-bcp9hr7g"
    assert ranked[0].experiment == "normal"
    assert ranked[0].assignments == {"n_estimators": "122", "max_depth": "9"}


def test_a_trial_that_ended_after_the_experiment_is_ranked_too() -> None:
    (experiment,) = recorded_objects(RECORDINGS / "b-goal", "experiment")
    (straggler,) = experiment["status"]["pendingTrialList"]
    ranked = {entry.trial: entry.value for entry in rank(recorded_objects(RECORDINGS / "b-goal"))}
    assert ranked[straggler] == 17.1
    assert len(ranked) == 5


def test_failed_trials_give_no_candidate() -> None:
    trials = recorded_objects(RECORDINGS / "c-failing")
    assert rank(trials) == []
    assert count_states(trials) == {"Failed": 3}


def test_trials_without_metrics_give_no_candidate() -> None:
    trials = recorded_objects(RECORDINGS / "d-unavailable")
    assert rank(trials) == []
    assert count_states(trials) == {"MetricsUnavailable": 1}


def test_trials_that_printed_nan_give_no_candidate_though_katib_names_a_best_one() -> None:
    (experiment,) = recorded_objects(RECORDINGS / "d2-nan", "experiment")
    trials = recorded_objects(RECORDINGS / "d2-nan")
    best = experiment["status"]["currentOptimalTrial"]["bestTrialName"]
    assert best in {each["metadata"]["name"] for each in trials}
    assert rank(trials) == []
    assert count_states(trials) == {"Succeeded": 3}


def test_a_nan_trial_does_not_stand_in_the_way_of_a_sound_one() -> None:
    ranked = rank(
        [*recorded_objects(RECORDINGS / "d2-nan"), *recorded_objects(RECORDINGS / "a-normal")]
    )
    assert [entry.experiment for entry in ranked] == ["normal"] * 6


def test_a_trial_becomes_a_candidate_with_its_last_state_only() -> None:
    *before, after = recorded_objects(RECORDINGS / "f-retain")
    assert len(before) == 4
    assert rank(before) == []
    assert rank([after])[0].trial == "retained-ztn57ntz"
