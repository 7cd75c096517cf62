import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.recordings import CASES, recorded_case
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    as_document,
    build_document,
    make_experiment,
    shell_command,
)

from katib.document import Document
from katib.errors import InvalidExperiment
from katib.experiment import read_experiment, to_experiment, with_defaults
from katib.lint import only_errors

TRIAL = shell_command("echo mse=${trialParameters.x}")
WITH_END = [case for case in CASES if "experiment" in recorded_case(case)]


@pytest.mark.parametrize("case", WITH_END)
def test_defaults_are_those_that_katib_filled_in(case: str) -> None:
    recording = recorded_case(case)
    assert with_defaults(recording["applied"])["spec"] == recording["experiment"]["spec"]


def test_defaults_leave_the_document_as_it_was() -> None:
    value = recorded_case("a-normal")["applied"]
    before = copy.deepcopy(value)
    with_defaults(value)
    assert value == before


def test_a_file_collector_reads_katibs_path_as_text_unless_told_otherwise() -> None:
    collector = {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"format": "JSON"}}}
    spec = make_experiment(*TRIAL, metricsCollectorSpec=collector).spec["metricsCollectorSpec"]
    assert spec["source"]["fileSystemPath"] == {
        "path": "/var/log/katib/metrics.log",
        "kind": "File",
        "format": "JSON",
    }


def test_counts_and_policy_have_katibs_defaults() -> None:
    document = build_document(*TRIAL)
    del document["spec"]["parallelTrialCount"]
    spec = to_experiment(as_document(document)).spec
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
    what = make_experiment(
        *TRIAL, objective=objective, metricsCollectorSpec={"source": None}, parallelTrialCount=None
    )
    assert (what.metrics, what.goal, what.parallel) == (("mse",), None, 3)


def test_a_metric_strategy_is_the_given_one_or_follows_the_type() -> None:
    def strategy(**objective: Any) -> str:  # noqa: ANN401 - YAML
        return make_experiment(
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
    assert make_experiment(*TRIAL, objective=goal).goal == pytest.approx(0.0)
    assert make_experiment(*TRIAL).goal is None


def test_seed_and_settings_are_read_from_the_algorithm() -> None:
    what = make_experiment(*TRIAL, algorithm=algorithm_spec("tpe", n_EI_candidates="9"))
    assert (what.algorithm, what.seed) == ("tpe", 7)
    assert what.settings == {"random_state": "7", "n_EI_candidates": "9"}
    assert make_experiment(*TRIAL, algorithm={"algorithmName": "tpe"}).seed is None


def test_the_schedule_is_an_annotation_of_ours() -> None:
    assert make_experiment(*TRIAL, annotations=BATCH).batch
    assert not make_experiment(*TRIAL).batch
    assert not make_experiment(*TRIAL, annotations={"tunegate.dev/schedule": "async"}).batch


def test_the_digest_changes_with_what_decides_the_trials_and_with_nothing_else() -> None:
    digest = make_experiment(*TRIAL).digest
    assert make_experiment(*TRIAL, annotations={"tunegate.dev/mounts": "a=b"}).digest == digest
    assert make_experiment(*TRIAL, annotations=BATCH).digest != digest
    assert make_experiment(*TRIAL, maxTrialCount=5).digest != digest
    assert make_experiment(*shell_command("echo mse=1${trialParameters.x}")).digest != digest


def test_a_name_is_made_where_the_cluster_would_make_one() -> None:
    document = build_document(*TRIAL)
    document["metadata"] = {"generateName": "tiny-"}
    assert to_experiment(Document("t", document)).name == "tiny-local"


def test_a_file_is_read_or_refused_with_its_findings(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(build_document(*TRIAL)))
    assert read_experiment(path).namespace == "default"
    path.write_text(yaml.safe_dump(build_document(*TRIAL, maxTrialCount=0)))
    with pytest.raises(InvalidExperiment, match=r"a\.yaml: 2 error") as refused:
        read_experiment(path)
    assert {f.code for f in only_errors(refused.value.findings) if not f.for_cluster_only} == {
        "K131",
        "K132",
    }
    assert "tunegate lint" in refused.value.hint
