"""Custom filters: what they can find, and the words that are proposed for wrong ones."""

import pytest
from support.katib.lint_cases import codes, edited, findings

from katib.lint import lint_text

FORMAT = "spec.metricsCollectorSpec.source.filter.metricsFormat"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"([\w|-]+)\s*=\s*((-?\d+)(\.\d+)?)", "does not take 1e-05 whole"),
        (r"(\w+)=([0-9.]+)", "does not take 1e-05, -3 whole"),
        (r"(\w+)=(\S+?)", "does not take 0.5, 1e-05, -3 whole"),
        (r"(\w+)=(\d+|[-+.\deE]+)", "does not take 0.5, 1e-05 whole"),
        (r"(\w+): (\d+)", "does not take 0.5, 1e-05, -3 whole"),
        (r"(accuracy)\s*:\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)", "can never be mse"),
        (r"(?:mse)=(\d+)(x)?", "can never be mse"),
        (r"\[(\d+)\] (mse)=(.*)", "can never be mse"),
    ],
)
def test_a_filter_that_loses_values_is_a_warning(pattern: str, said: str) -> None:
    found = [f for f in findings(edited({FORMAT: [pattern]})) if f.code == "K219"]
    assert [said in finding.message for finding in found] == [True]
    assert found[0].severity == "warning"


@pytest.mark.parametrize(
    "pattern",
    [
        r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)",
        r"(mse)\s*=\s*(\S+)",
        r"\[epoch \d+\] (\w+) is ([-+0-9.eE]+)",
        r"(?i)(MSE):(.+)",
        r"(?P<name>[a-z]+)=(?P<value>[-+.0-9e]+)",
        r"([^=\])]+)=(nan|[-+.\deE]+)",
        r"{metricName: ([\w|-]+), metricValue: ([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)}",
    ],
)
def test_a_filter_that_reads_numbers_whole_is_let_pass(pattern: str) -> None:
    assert codes(edited({FORMAT: [pattern]})) & {"K163", "K211", "K219"} == set()


def test_a_class_that_python_reads_otherwise_is_not_run_here() -> None:
    found = codes(edited({FORMAT: [r"([[:alpha:]]+)=(\S+)"]}))
    assert found & {"K211", "K219", "K312"} == {"K312"}


def test_a_found_architecture_is_no_number() -> None:
    genotype = {FORMAT: [r"([\w-]+)=(Genotype.*)"]}
    assert "K219" in codes(edited(genotype))
    assert "K219" not in codes(edited({**genotype, "spec.nasConfig": {}}))


def test_each_of_several_filters_may_find_another_metric() -> None:
    both = [r"(mae)=([-+.\deE]+)", r"(mse)=([-+.\deE]+)"]
    names = {"spec.objective.additionalMetricNames": ["mae"]}
    assert "K219" not in codes(edited({FORMAT: both, **names}))
    assert "K219" in codes(edited({FORMAT: both[:1], **names}))


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        ("spec.algorithm.algorithmName", "bayesian", "bayesianoptimization"),
        ("spec.algorithm.algorithmName", "bayesian-optimization", "bayesianoptimization"),
        ("spec.algorithm.algorithmName", "cma-es", "cmaes"),
        ("spec.algorithm.algorithmName", "random_search", "random"),
        ("spec.algorithm.algorithmName", "multivariatetpe", "multivariate-tpe"),
        ("spec.parameters.0.parameterType", "float", "double"),
        ("spec.parameters.0.parameterType", "integer", "int"),
        ("spec.parameters.0.parameterType", "catagorical", "categorical"),
        ("spec.parameters.0.feasibleSpace.distribution", "log", "logUniform"),
        ("spec.objective.type", "minimise", "minimize"),
        ("spec.metricsCollectorSpec.collector.kind", "TensorBoard", "TensorFlowEvent"),
        ("spec.resumePolicy", "LongRun", "LongRunning"),
        ("spec.trialTemplate.trialSpec.spec.template.spec.dnsPolicy", "Defaults", "Default"),
    ],
)
def test_the_word_that_was_meant_is_proposed(path: str, value: str, meant: str) -> None:
    assert f"did you mean {meant}?" in {finding.fix for finding in findings(edited({path: value}))}


def test_an_outdated_experiment_is_recognised_and_only_that_is_reported() -> None:
    text = """
apiVersion: kubeflow.org/v1alpha3
kind: Experiment
metadata: {name: old}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  trialTemplate:
    goTemplate:
      rawTemplate: "{{.Trial}}"
"""
    found = lint_text(text, "old.yaml")
    assert [(finding.code, finding.line, finding.column) for finding in found] == [
        ("K102", 2, 1),
        ("K102", 8, 5),
    ]
    assert "before 0.10" in found[0].message
