"""From template to command: what is replaced, and by what."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import ONE_NUMBER, as_document, build_document, make_experiment

from katib.errors import InvalidExperiment
from katib.experiment import Experiment, to_experiment
from katib.local.job_template import (
    Launch,
    PathMap,
    plan_launch,
    primary_container,
    render_job,
    requested_cpus,
)

POINT = {"x": "0.5"}


def plan_of(what: Experiment, folder: Path, **paths: object) -> Launch:
    point = {parameter.name: "0.5" for parameter in what.parameters}
    return plan_launch(
        what,
        render_job(what, point, "tiny-1"),
        PathMap(folder / "state", **paths),
        folder / "trial",
    )


def argv_of(folder: Path, *command: str, **options: object) -> list[str]:
    return list(plan_of(make_experiment(*command, **options), folder).argv)


def test_a_placeholder_is_replaced_wherever_it_stands(tmp_path: Path) -> None:
    volume = [{"name": "v", "persistentVolumeClaim": {"claimName": "c-${trialParameters.x}"}}]
    container = {
        "args": ["${trialParameters.x}/${trialParameters.x}"],
        "env": [{"name": "A", "value": "a${trialParameters.x}"}],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    what = make_experiment(
        "run", "--x=${trialParameters.x}", "/v", container=container, pod={"volumes": volume}
    )
    found = plan_of(what, tmp_path)
    assert found.argv == ("run", "--x=0.5", str(tmp_path / "state/c-0.5"), "0.5/0.5")
    assert found.env["A"] == "a0.5"


@pytest.mark.parametrize(
    "value", ['say "hi"', "it's", "a\\nb", "\\1", "$(HOME)x", "a\nb", "ü ${trialParameters.y}"]
)
def test_a_value_with_quotes_backslashes_or_dollars_arrives_as_it_is(
    tmp_path: Path, value: str
) -> None:
    what = make_experiment(
        "run", "${trialParameters.x}", parameters={"x": ("categorical", {"list": [value, "other"]})}
    )
    job = render_job(what, {"x": value}, "tiny-1")
    assert plan_launch(what, job, PathMap(tmp_path), tmp_path).argv[1] == value


def test_meta_references_are_the_trials_own(tmp_path: Path) -> None:
    references = {
        "a": "${trialSpec.Name}",
        "b": "${trialSpec.Namespace}",
        "c": "${trialSpec.Kind}",
        "d": "${trialSpec.APIVersion}",
        "e": "${trialSpec.Labels[example.org/team]}",
        "f": "${trialSpec.Annotations[note]}",
    }
    document = build_document(
        "run", " ".join(f"${{trialParameters.{name}}}" for name in ("x", *references))
    )
    template = document["spec"]["trialTemplate"]
    template["trialParameters"] += [
        {"name": name, "reference": to} for name, to in references.items()
    ]
    template["trialSpec"]["metadata"] = {
        "labels": {"example.org/team": "red"},
        "annotations": {"note": "text"},
    }
    what = to_experiment(as_document(document))
    assert plan_of(what, tmp_path).argv[1] == "0.5 tiny-1 default Job batch/v1 red text"
    del template["trialSpec"]["metadata"]["annotations"]
    with pytest.raises(InvalidExperiment, match="K237"):
        to_experiment(as_document(document))


def test_rendering_names_the_job_and_never_changes_the_document() -> None:
    what = make_experiment("run", "${trialParameters.x}")
    before = copy.deepcopy(what.document)
    job = render_job(what, POINT, "tiny-1")
    job["spec"]["template"]["spec"]["containers"].clear()
    job["metadata"]["labels"] = {}
    assert what.document == before
    assert job["metadata"]["name"] == "tiny-1"
    assert job["metadata"]["namespace"] == "default"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$(A)", "one"),
        ("-$(A)-$(B)", "-one-two"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$one"),
        ("$$", "$"),
        ("$A ${A}", "$A ${A}"),
        ("$(KATIB_TRIAL_NAME)", "tiny-1"),
    ],
)
def test_variables_are_expanded_as_the_kubelet_does(
    tmp_path: Path, word: str, expected: str
) -> None:
    env = [{"name": "A", "value": "one"}, {"name": "B", "value": "two"}]
    assert argv_of(tmp_path, "run", word, container={"env": env})[1] == expected


def test_a_variable_may_use_those_before_it_but_not_those_after(tmp_path: Path) -> None:
    env = [
        {"name": "A", "value": "$(B)"},
        {"name": "B", "value": "two"},
        {"name": "C", "value": "$(B)$$"},
    ]
    found = plan_of(make_experiment("run", container={"env": env}), tmp_path).env
    assert (found["A"], found["C"]) == ("$(B)", "two$")


def test_fields_of_the_pods_metadata_can_be_read(tmp_path: Path) -> None:
    paths = {
        "NAME": "metadata.name",
        "SPACE": "metadata.namespace",
        "TEAM": "metadata.labels['team']",
        "TRIAL": "metadata.labels['katib.kubeflow.org/trial']",
        "EXPERIMENT": "metadata.labels['katib.kubeflow.org/experiment']",
        "NOTE": "metadata.annotations['note']",
        "NONE": "metadata.annotations['none']",
    }
    env = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in paths.items()
    ]
    document = build_document("run", "${trialParameters.x}", container={"env": env})
    metadata = {"labels": {"team": "red"}, "annotations": {"note": "text"}}
    document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["metadata"] = metadata
    found = plan_of(to_experiment(as_document(document)), tmp_path).env
    expected = ["tiny-1", "default", "red", "tiny-1", "tiny", "text", ""]
    assert [found[name] for name in paths] == expected


@pytest.mark.parametrize(
    ("program", "stands"), [("python", True), ("python3", True), ("/usr/bin/python3", False)]
)
def test_an_images_python_is_this_one_unless_another_is_named(
    tmp_path: Path, program: str, *, stands: bool
) -> None:
    what = make_experiment(program, "-m", "x", container={"image": "localhost/a:1"})
    assert plan_of(what, tmp_path).argv[0] == (sys.executable if stands else program)
    other = plan_of(what, tmp_path, images={"localhost/a:1": "/opt/a/python", "b": "/opt/b/python"})
    assert other.argv[0] == ("/opt/a/python" if stands else program)


def test_retries_deadline_and_grace_have_kubernetes_defaults(tmp_path: Path) -> None:
    def job(**spec: object) -> Launch:
        return plan_of(make_experiment("run", job={"backoffLimit": None, **spec}), tmp_path)

    assert (job().attempts, job().deadline, job().grace) == (7, None, 30.0)
    assert (job(backoffLimit=0).attempts, job(backoffLimit=2).attempts) == (1, 3)
    assert job(activeDeadlineSeconds=60).deadline == pytest.approx(60.0)
    pod = {"activeDeadlineSeconds": 5, "terminationGracePeriodSeconds": 3}
    both = plan_of(make_experiment("run", pod=pod, job={"activeDeadlineSeconds": 60}), tmp_path)
    assert (both.deadline, both.grace) == (5.0, 3.0)


@pytest.mark.parametrize(
    ("resources", "cpus"),
    [
        ({}, 1.0),
        ({"requests": {"cpu": "2"}}, 2.0),
        ({"requests": {"cpu": "250m"}}, 0.25),
        ({"requests": {"cpu": 1.5}}, 1.5),
        ({"limits": {"cpu": "3"}}, 3.0),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}, 1.0),
        ({"requests": {"memory": "1Gi"}}, 1.0),
        ({"requests": {"cpu": "${trialParameters.x}"}}, 1.0),
    ],
)
def test_cpus_are_the_request_or_the_limit_or_one(resources: dict[str, Any], cpus: float) -> None:
    what = make_experiment("run", container={"resources": resources})
    assert requested_cpus(primary_container(what)) == pytest.approx(cpus)


def test_numeric_libraries_are_held_to_the_requested_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "8")
    env = [{"name": "OPENBLAS_NUM_THREADS", "value": "5"}]
    container = {"env": env, "resources": {"requests": {"cpu": "2500m"}}}
    found = plan_of(make_experiment("run", container=container), tmp_path).env
    assert (found["OMP_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("2", "5")
    assert "MKL_NUM_THREADS" not in found


def test_a_word_of_json_survives(tmp_path: Path) -> None:
    words = argv_of(tmp_path, "run", '{"x": ${trialParameters.x}, "y": "z"}', parameters=ONE_NUMBER)
    assert json.loads(words[1]) == {"x": 0.5, "y": "z"}
