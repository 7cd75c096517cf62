import copy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.katib.lint_cases import GONE, SHIPPED, edited, findings

from katib.document import Document, parse_document, read_document
from katib.early_stopping import stop_rule
from katib.errors import InvalidExperiment
from katib.experiment import to_experiment
from katib.lint import lint_document, only_errors
from katib.lint.finding import Finding
from katib.local.job_template import PathMap, plan_launch, render_job

MAIN = "spec.trialTemplate.trialSpec.spec.template.spec.containers.0"
TEXT = SHIPPED.read_text(encoding="utf-8")


def changed(old: str, new: str) -> tuple[list[Finding], tuple[int, int]]:
    """Lint the shipped file with one piece replaced; return findings and the piece's position."""
    assert TEXT.count(old) == 1
    before = TEXT[: TEXT.index(old)]
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return lint_document(parse_document(TEXT.replace(old, new), source="experiment.yaml")), (
        line,
        column,
    )


def test_the_shipped_experiment_has_no_finding() -> None:
    assert lint_document(read_document(SHIPPED)) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("type: minimize", "type: least", "K111"),
        ("maxTrialCount: 20", "maxTrialCount: 0", "K131"),
        ('min: "4", max: "30"', 'min: 4, max: "30"', "K101"),
        ("restartPolicy: Never", "restartPolicy: Always", "K183"),
        ("activeDeadlineSeconds: 600", "activeDeadlineSecond: 600", "K181"),
        ("algorithmName: tpe", "algorithmName: tp", "K121"),
    ],
)
def test_a_finding_names_line_and_column_of_its_field(old: str, new: str, code: str) -> None:
    found, place = changed(old, new)
    assert (code, *place) in [(finding.code, finding.line, finding.column) for finding in found]


def test_a_missing_field_is_placed_at_its_parent() -> None:
    found, place = changed("objective:\n    type: minimize\n", "objective:\n")
    assert [(finding.code, finding.line, finding.column) for finding in found] == [("K111", *place)]


def test_findings_come_in_the_order_of_their_lines_and_once_each() -> None:
    document = edited(
        {
            "metadata.name": "_",
            "spec.maxTrialCount": 0,
            "spec.resumePolicy": "x",
            "apiVersion": "v1",
        }
    )
    found = lint_document(parse_document(yaml.safe_dump(document, sort_keys=False)))
    assert [(finding.line, finding.column) for finding in found] == sorted(
        (f.line, f.column) for f in found
    )
    assert len(set(found)) == len(found)
    assert {"K102", "K103", "K131", "K132", "K133"} <= {finding.code for finding in found}


def test_a_finding_reads_as_a_compiler_prints_it() -> None:
    finding = Finding(
        "K111", "error", "a.yaml", 3, 5, "spec.objective.type", "must be minimize or maximize"
    )
    assert str(finding) == "a.yaml:3:5: K111 spec.objective.type: must be minimize or maximize"
    assert str(replace(finding, fix="write it")).endswith("maximize (write it)")


def test_only_the_three_hundreds_are_about_this_machine() -> None:
    found = findings(edited({"spec.algorithm.algorithmName": "pbt", "spec.maxTrialCount": 0}))
    assert {finding.code for finding in found if finding.for_local_only} == {"K301"}


def test_errors_leaves_warnings_out() -> None:
    backoff = "spec.trialTemplate.trialSpec.spec.backoffLimit"
    retries = "spec.resumePolicy"
    found = findings(edited({backoff: GONE, retries: "x"}))
    assert [finding.code for finding in only_errors(found)] == ["K133"]
    assert {finding.code for finding in found} == {"K133", "K240"}


def test_a_document_with_errors_is_not_an_experiment_one_with_warnings_is() -> None:
    backoff = "spec.trialTemplate.trialSpec.spec.backoffLimit"
    assert (
        to_experiment(parse_document(yaml.safe_dump(edited({backoff: GONE})))).name
        == "boston-forest"
    )
    with pytest.raises(InvalidExperiment) as refused:
        to_experiment(
            parse_document(yaml.safe_dump(edited({backoff: GONE, "spec.objective.type": "x"})))
        )
    assert {finding.code for finding in refused.value.findings} == {"K111", "K240"}
    assert "1 error(s)" in str(refused.value)
    assert "K111" in str(refused.value)


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """All paths of a document, the root left out."""
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    inner = [[(*path, key), *paths(entry, (*path, key))] for key, entry in entries]
    return list(chain.from_iterable(inner))


def reshaped(
    document: dict[str, Any], path: tuple[str | int, ...], value: object
) -> dict[str, Any]:
    document = copy.deepcopy(document)
    target: Any = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return document


FULL = edited(
    {
        "spec.objective.goal": 1.0,
        "spec.objective.metricStrategies": [{"name": "mse", "value": "min"}],
        "spec.earlyStopping": {
            "algorithmName": "medianstop",
            "algorithmSettings": [{"name": "start_step", "value": "2"}],
        },
        "spec.metricsCollectorSpec.collector.kind": "File",
        "spec.metricsCollectorSpec.source.fileSystemPath": {
            "path": "/a/b",
            "kind": "File",
            "format": "TEXT",
        },
        "spec.metricsCollectorSpec.source.filter.metricsFormat": ["(a)=(b)"],
        "spec.parameters.0.feasibleSpace.step": "0.05",
        f"{MAIN}.args": ["x"],
        f"{MAIN}.env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
    }
)
ODD = [
    None,
    True,
    -1,
    2.5,
    "",
    "x",
    "--1",
    [],
    [None],
    ["x"],
    [["x"]],
    [{}],
    {},
    {"x": "y"},
    {1: 2},
    [{"name": "x"}],
]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_field_of_any_shape_is_refused_or_can_be_run(value: object, tmp_path: Path) -> None:
    for path in paths(FULL):
        document = Document("odd.yaml", reshaped(FULL, path, value))
        try:
            experiment = to_experiment(document)
        except InvalidExperiment:
            continue
        point = {parameter.name: parameter.from_unit(0.5) for parameter in experiment.parameters}
        job = render_job(experiment, point, "odd-1")
        assert plan_launch(experiment, job, PathMap(tmp_path), tmp_path).attempts >= 1, path
        assert stop_rule(experiment, []).limit is None
