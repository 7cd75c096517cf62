"""Each rule about objective, algorithm, counts, space and collector: what breaks and passes it."""

import pytest
from support.katib.lint_cases import GONE, Case, codes, edited, findings

OBJECTIVE = "spec.objective"
ALGORITHM = "spec.algorithm"
MAX_FEATURES, DEPTH, BOOTSTRAP = (f"spec.parameters.{i}.feasibleSpace" for i in (0, 3, 4))
SETTING = f"{ALGORITHM}.algorithmSettings.0"
STOP = "spec.earlyStopping"
COLLECTOR = "spec.metricsCollectorSpec"
FORMAT = f"{COLLECTOR}.source.filter.metricsFormat"
FILE = f"{COLLECTOR}.source.fileSystemPath"
KIND = f"{COLLECTOR}.collector.kind"


def medianstop(name: str, value: object) -> dict[str, object]:
    return {
        STOP: {"algorithmName": "medianstop", "algorithmSettings": [{"name": name, "value": value}]}
    }


def collector_filter(kind: str, pattern: str) -> dict[str, object]:
    return {KIND: kind, FORMAT: [pattern]}


CASES = [
    Case(
        "K101", {f"{DEPTH}.min": 4}, "spec.parameters[3].feasibleSpace.min", {f"{DEPTH}.min": "4"}
    ),
    Case(
        "K101", {f"{BOOTSTRAP}.list": [True, "x"]}, "spec.parameters[4].feasibleSpace.list[0]", {}
    ),
    Case(
        "K101",
        {f"{SETTING}.value": 7},
        "spec.algorithm.algorithmSettings[0].value",
        {f"{SETTING}.value": "9"},
    ),
    Case("K105", {DEPTH: ["4", "30"]}, "spec.parameters[3].feasibleSpace", {}),
    Case(
        "K105",
        {f"{ALGORITHM}.algorithmSettings": {"random_state": "7"}},
        "spec.algorithm.algorithmSettings",
        {},
    ),
    Case("K105", {f"{SETTING}.name": GONE}, "spec.algorithm.algorithmSettings[0]", {}),
    Case("K105", {OBJECTIVE: "minimize"}, "spec.objective", {}),
    Case("K105", {"spec.parameters.0": None}, "spec.parameters[0]", {}),
    Case("K102", {"apiVersion": "kubeflow.org/v1"}, "apiVersion", {}),
    Case("K103", {"metadata.name": "my_exp"}, "metadata.name", {"metadata.name": "my-exp2"}),
    Case("K103", {"metadata.name": "a" * 41}, "metadata.name", {"metadata.name": "a" * 40}),
    Case("K103", {"metadata.name": "1a"}, "metadata.name", {"metadata.name": "a"}),
    Case(
        "K103",
        {"metadata.name": GONE},
        "metadata",
        {"metadata.name": GONE, "metadata.generateName": "a-"},
    ),
    Case("K104", {"spec": GONE}, "spec", {}),
    Case("K110", {OBJECTIVE: GONE}, "spec.objective", {}),
    Case(
        "K111",
        {f"{OBJECTIVE}.type": "least"},
        "spec.objective.type",
        {f"{OBJECTIVE}.type": "maximize"},
    ),
    Case(
        "K112", {f"{OBJECTIVE}.objectiveMetricName": GONE}, "spec.objective.objectiveMetricName", {}
    ),
    Case(
        "K113",
        {f"{OBJECTIVE}.additionalMetricNames": ["mse"]},
        "spec.objective.additionalMetricNames",
        {},
    ),
    Case("K114", {f"{OBJECTIVE}.goal": "8.5"}, "spec.objective.goal", {f"{OBJECTIVE}.goal": 8.5}),
    Case(
        "K114", {f"{OBJECTIVE}.goal": float("nan")}, "spec.objective.goal", {f"{OBJECTIVE}.goal": 0}
    ),
    Case(
        "K115",
        {f"{OBJECTIVE}.metricStrategies": [{"name": "mse", "value": "mean"}]},
        "spec.objective.metricStrategies[0].value",
        {f"{OBJECTIVE}.metricStrategies": [{"name": "mse", "value": "latest"}]},
    ),
    Case("K120", {ALGORITHM: GONE}, "spec.algorithm", {}),
    Case("K121", {f"{ALGORITHM}.algorithmName": "magic"}, "spec.algorithm.algorithmName", {}),
    Case("K130", {"spec.maxTrialCount": "20"}, "spec.maxTrialCount", {"spec.maxTrialCount": 20}),
    Case("K130", {"spec.parallelTrialCount": True}, "spec.parallelTrialCount", {}),
    Case("K131", {"spec.maxTrialCount": 0}, "spec.maxTrialCount", {}),
    Case(
        "K131",
        {"spec.parallelTrialCount": 0},
        "spec.parallelTrialCount",
        {"spec.parallelTrialCount": 1},
    ),
    Case(
        "K131",
        {"spec.maxFailedTrialCount": -1},
        "spec.maxFailedTrialCount",
        {"spec.maxFailedTrialCount": 0},
    ),
    Case(
        "K132",
        {"spec.parallelTrialCount": 21},
        "spec.parallelTrialCount",
        {"spec.parallelTrialCount": 20},
    ),
    Case(
        "K132",
        {"spec.maxFailedTrialCount": 21},
        "spec.maxFailedTrialCount",
        {"spec.maxFailedTrialCount": 20},
    ),
    Case(
        "K133",
        {"spec.resumePolicy": "Sometimes"},
        "spec.resumePolicy",
        {"spec.resumePolicy": "FromVolume"},
    ),
    Case("K140", {"spec.parameters": []}, "spec.parameters", {}),
    Case("K141", {"spec.parameters.0.name": GONE}, "spec.parameters[0].name", {}),
    Case("K141", {"spec.parameters.1.name": "max_features"}, "spec.parameters[1].name", {}),
    Case(
        "K142",
        {"spec.parameters.3.parameterType": "integer"},
        "spec.parameters[3].parameterType",
        {},
    ),
    Case(
        "K144",
        {f"{DEPTH}.distribution": "cauchy"},
        "spec.parameters[3].feasibleSpace.distribution",
        {f"{DEPTH}.distribution": "logNormal"},
    ),
    Case("K145", {f"{DEPTH}.max": GONE}, "spec.parameters[3].feasibleSpace", {}),
    Case("K145", {DEPTH: {}}, "spec.parameters[3].feasibleSpace", {f"{DEPTH}.min": "0"}),
    Case(
        "K146",
        {f"{DEPTH}.list": ["4"]},
        "spec.parameters[3].feasibleSpace.list",
        {f"{DEPTH}.list": []},
    ),
    Case("K147", {f"{BOOTSTRAP}.min": "1"}, "spec.parameters[4].feasibleSpace", {}),
    Case(
        "K148",
        {BOOTSTRAP: {"list": []}},
        "spec.parameters[4].feasibleSpace",
        {BOOTSTRAP: {"list": ["true"]}},
    ),
    Case(
        "K150",
        {STOP: {"algorithmName": "asha"}},
        f"{STOP}.algorithmName",
        {STOP: {"algorithmName": "medianstop"}},
    ),
    Case("K160", {KIND: "None"}, KIND, {KIND: "File"}),
    Case(
        "K161",
        {KIND: "File", f"{FILE}.path": "m.log"},
        f"{FILE}.path",
        {KIND: "File", f"{FILE}.path": "/m/m.log"},
    ),
    Case(
        "K162",
        {**collector_filter("File", "(a)=(b)"), f"{FILE}.format": "JSON"},
        f"{COLLECTOR}.source.filter",
        {**collector_filter("File", "(a)=(b)"), f"{FILE}.format": "TEXT"},
    ),
    Case(
        "K163",
        collector_filter("File", "mse=(.*"),
        f"{FORMAT}[0]",
        collector_filter("File", "(mse)=(.*)"),
    ),
    Case(
        "K163",
        collector_filter("File", "mse=(.*)"),
        f"{FORMAT}[0]",
        collector_filter("StdOut", "mse=(.*)"),
    ),
    Case("K201", {"spec.maxTrialCounts": 3}, "spec.maxTrialCounts", {}),
    Case("K201", {f"{OBJECTIVE}.metric": "mse"}, "spec.objective.metric", {}),
    Case(
        "K201",
        {f"{DEPTH}.minimum": "1"},
        "spec.parameters[3].feasibleSpace.minimum",
        {f"{DEPTH}.step": "1"},
    ),
    Case("K201", {"spec.parameters.0.type": "int"}, "spec.parameters[0].type", {}),
    Case(
        "K202",
        {"spec.maxTrialCount": GONE, "spec.maxFailedTrialCount": GONE},
        "spec",
        {"spec.maxTrialCount": GONE, "spec.maxFailedTrialCount": GONE, f"{OBJECTIVE}.goal": 0},
    ),
    Case(
        "K203",
        {f"{DEPTH}.max": "3e1"},
        "spec.parameters[3].feasibleSpace.max",
        {f"{DEPTH}.max": "+30"},
    ),
    Case(
        "K203",
        {f"{DEPTH}.min": "4.5"},
        "spec.parameters[3].feasibleSpace.min",
        {f"{MAX_FEATURES}.min": "0.5"},
    ),
    Case("K203", {f"{DEPTH}.max": "inf"}, "spec.parameters[3].feasibleSpace.max", {}),
    Case(
        "K204", {f"{DEPTH}.min": "30"}, "spec.parameters[3].feasibleSpace", {f"{DEPTH}.min": "29"}
    ),
    Case(
        "K205",
        {f"{DEPTH}.step": "27"},
        "spec.parameters[3].feasibleSpace.step",
        {f"{DEPTH}.step": "26"},
    ),
    Case("K205", {f"{DEPTH}.step": "-1"}, "spec.parameters[3].feasibleSpace.step", {}),
    Case(
        "K206",
        {f"{DEPTH}.distribution": "logUniform", f"{DEPTH}.min": "0"},
        "spec.parameters[3].feasibleSpace",
        {f"{DEPTH}.min": "0"},
    ),
    Case(
        "K207",
        {f"{ALGORITHM}.algorithmName": "grid"},
        "spec.parameters[0].feasibleSpace",
        {
            f"{ALGORITHM}.algorithmName": "grid",
            f"{MAX_FEATURES}.step": "0.1",
            "spec.parameters.5.feasibleSpace.step": "0.1",
        },
    ),
    Case(
        "K208",
        {f"{ALGORITHM}.algorithmName": "bayesianoptimization", f"{MAX_FEATURES}.min": "0"},
        "spec.parameters[0].feasibleSpace",
        {f"{ALGORITHM}.algorithmName": "bayesianoptimization"},
    ),
    Case("K209", {f"{BOOTSTRAP}.list": ["a", "a"]}, "spec.parameters[4].feasibleSpace.list", {}),
    Case(
        "K210",
        {"spec.parameters.4.parameterType": "discrete", f"{BOOTSTRAP}.list": ["1", "two"]},
        "spec.parameters[4].feasibleSpace.list[1]",
        {"spec.parameters.4.parameterType": "discrete", f"{BOOTSTRAP}.list": ["1", "2.5"]},
    ),
    Case(
        "K211",
        collector_filter("StdOut", "mse=(.*"),
        f"{FORMAT}[0]",
        collector_filter("StdOut", "(mse)=(.*)"),
    ),
    Case(
        "K212",
        collector_filter("StdOut", "(a);(b)"),
        f"{FORMAT}[0]",
        collector_filter("StdOut", "(a),(b)"),
    ),
    Case("K220", {f"{SETTING}.name": "seed"}, "spec.algorithm.algorithmSettings[0]", {}),
    Case(
        "K220",
        {f"{SETTING}.value": "x"},
        "spec.algorithm.algorithmSettings[0]",
        {f"{SETTING}.value": "0"},
    ),
    Case("K220", {f"{SETTING}.value": "--7"}, "spec.algorithm.algorithmSettings[0]", {}),
    Case(
        "K221",
        medianstop("start", "3"),
        f"{STOP}.algorithmSettings[0].name",
        medianstop("start_step", "3"),
    ),
    Case(
        "K222",
        medianstop("start_step", "0"),
        f"{STOP}.algorithmSettings[0].value",
        medianstop("start_step", "1"),
    ),
    Case("K301", {f"{ALGORITHM}.algorithmName": "hyperband"}, "spec.algorithm.algorithmName", {}),
    Case("K302", {"spec.nasConfig": {}}, "spec.nasConfig", {}),
    Case("K303", {KIND: "TensorFlowEvent"}, KIND, {KIND: "Push"}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaking_a_rule_is_found_at_its_field(case: Case) -> None:
    found = [(finding.code, finding.field) for finding in findings(edited(case.breaking))]
    assert (case.code, case.field) in found


@pytest.mark.parametrize("case", [case for case in CASES if case.passing], ids=str)
def test_what_is_close_to_breaking_a_rule_passes_it(case: Case) -> None:
    assert case.code not in codes(edited(case.passing))


@pytest.mark.parametrize("case", [c for c in CASES if c.code not in {"K202", "K208"}], ids=str)
def test_a_broken_rule_stops_the_run(case: Case) -> None:
    assert case.code in codes(edited(case.breaking), "error")


def test_an_experiment_without_an_end_is_taken_as_on_katib() -> None:
    endless = edited({"spec.maxTrialCount": GONE, "spec.maxFailedTrialCount": GONE})
    assert codes(endless, "error") == set()


def test_a_seed_by_another_name_gets_the_right_name() -> None:
    (finding,) = [f for f in findings(edited({f"{SETTING}.name": "seed"})) if f.code == "K220"]
    assert "random_state" in finding.message


def test_a_near_miss_is_named() -> None:
    (finding,) = findings(edited({"spec.maxTrialCounts": 3}))
    assert finding.fix == "did you mean maxTrialCount?"


def test_our_own_early_stopping_needs_no_retain_since_it_writes_the_observation() -> None:
    assert "K257" in codes(edited(medianstop("start_step", "1")))
    assert "K257" not in codes(edited({STOP: {"algorithmName": "tunegate"}}))
