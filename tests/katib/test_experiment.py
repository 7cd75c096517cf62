import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.recordings import CASES, recorded
from support.katib.experiments import BATCH, algorithm, build, experiment, parse, shell

from katib.document import Document
from katib.errors import InvalidExperiment
from katib.experiment import read_experiment, to_experiment, with_defaults
from katib.lint import errors

TRIAL = shell("echo mse=${trialParameters.x}")
WITH_END = [case for case in CASES if "experiment" in recorded(case)]


@pytest.mark.parametrize("case", WITH_END)
def test_defaults_are_those_that_katib_filled_in(case: str) -> None:
    recording = recorded(case)
    assert with_defaults(recording["applied"])["spec"] == recording["experiment"]["spec"]


def test_defaults_leave_the_document_as_it_was() -> None:
    value = recorded("a-normal")["applied"]
    before = copy.deepcopy(value)
    with_defaults(value)
    assert value == before


def test_a_file_collector_reads_katibs_path_as_text_unless_told_otherwise() -> None:
    collector = {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"format": "JSON"}}}
    spec = experiment(*TRIAL, metricsCollectorSpec=collector).spec["metricsCollectorSpec"]
    assert spec["source"]["fileSystemPath"] == {
        "path": "/var/log/katib/metrics.log",
        "kind": "File",
        "format": "JSON",
    }


def test_counts_and_policy_have_katibs_defaults() -> None:
    document = build(*TRIAL)
    del document["spec"]["parallelTrialCount"]
    spec = to_experiment(parse(document)).spec
    assert (spec["parallelTrialCount"], spec["resumePolicy"]) == (3, "Never")
    assert (
        spec["trialTemplate"]["successCondition"]
        == 'status.conditions.#(type=="Complete")#|#(status=="True")#'
    )


def test_a_field_that_is_null_is_absent() -> None:
    objective = {
        "type": "minimize",
        "objectiveMetricName": "mse",
        "additionalMetricNames": None,
        "goal": None,
    }
    what = experiment(
        *TRIAL, objective=objective, metricsCollectorSpec={"source": None}, parallelTrialCount=None
    )
    assert (what.metrics, what.goal, what.parallel) == (("mse",), None, 3)


def test_a_metric_strategy_is_the_given_one_or_follows_the_type() -> None:
    def strategy(**objective: Any) -> str:  # noqa: ANN401 - YAML
        return experiment(
            *TRIAL, objective={"type": "maximize", "objectiveMetricName": "mse", **objective}
        ).strategy

    assert strategy() == "max"
    assert strategy(type="minimize") == "min"
    assert strategy(metricStrategies=[{"name": "mse", "value": "latest"}]) == "latest"
    assert (
        strategy(metricStrategies=[{"name": "r2", "value": "latest"}], additionalMetricNames=["r2"])
        == "max"
    )


def test_a_goal_of_zero_is_a_goal() -> None:
    goal = {"type": "minimize", "objectiveMetricName": "mse", "goal": 0}
    assert experiment(*TRIAL, objective=goal).goal == pytest.approx(0.0)
    assert experiment(*TRIAL).goal is None


def test_seed_and_settings_are_read_from_the_algorithm() -> None:
    what = experiment(*TRIAL, algorithm=algorithm("tpe", n_EI_candidates="9"))
    assert (what.algorithm, what.seed) == ("tpe", 7)
    assert what.settings == {"random_state": "7", "n_EI_candidates": "9"}
    assert experiment(*TRIAL, algorithm={"algorithmName": "tpe"}).seed is None


def test_the_schedule_is_an_annotation_of_ours() -> None:
    assert experiment(*TRIAL, annotations=BATCH).batch
    assert not experiment(*TRIAL).batch
    assert not experiment(*TRIAL, annotations={"tunegate.dev/schedule": "async"}).batch


def test_the_digest_changes_with_what_decides_the_trials_and_with_nothing_else() -> None:
    digest = experiment(*TRIAL).digest
    assert experiment(*TRIAL, annotations={"tunegate.dev/mounts": "a=b"}).digest == digest
    assert experiment(*TRIAL, annotations=BATCH).digest != digest
    assert experiment(*TRIAL, maxTrialCount=5).digest != digest
    assert experiment(*shell("echo mse=1${trialParameters.x}")).digest != digest


def test_a_name_is_made_where_the_cluster_would_make_one() -> None:
    document = build(*TRIAL)
    document["metadata"] = {"generateName": "tiny-"}
    assert to_experiment(Document("t", document)).name == "tiny-local"


def test_a_file_is_read_or_refused_with_its_findings(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(build(*TRIAL)))
    assert read_experiment(path).namespace == "default"
    path.write_text(yaml.safe_dump(build(*TRIAL, maxTrialCount=0)))
    with pytest.raises(InvalidExperiment, match=r"a\.yaml: 2 error") as refused:
        read_experiment(path)
    assert {f.code for f in errors(refused.value.findings) if not f.for_cluster_only} == {
        "K131",
        "K132",
    }
    assert "tunegate lint" in refused.value.hint
