"""Experiments as objects of Katib's packages are read, and written, without loss."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.katib.runs import runnable_document

from katib.document import Document
from katib.experiment import to_experiment
from katib.sdk_objects import read_object, to_sdk_experiment

katib_sdk = pytest.importorskip("kubeflow.katib")


def document() -> dict[str, Any]:
    found = runnable_document("sh", "-c", "echo mse=${trialParameters.x}", maxFailedTrialCount=1)
    found["metadata"]["labels"] = {"my_team": "a_b"}
    container = found["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    container["nodeSelector"] = {"disk_kind": "ssd"}
    return found


def test_an_object_of_the_sdk_is_the_document_again() -> None:
    sdk = to_sdk_experiment(document())
    assert isinstance(sdk, katib_sdk.V1beta1Experiment)
    assert sdk.spec.objective.objective_metric_name == "mse"
    assert read_object(sdk) == document()


def test_a_dictionary_in_snake_case_is_the_document_again() -> None:
    assert read_object(to_sdk_experiment(document()).to_dict()) == document()


def test_a_dictionary_stays_as_it_is_with_its_misspelt_fields() -> None:
    wrong = document()
    wrong["spec"]["max_trial_count"] = 3
    assert read_object(wrong) == wrong


def test_a_status_and_what_is_none_are_left_out() -> None:
    given = {**document(), "status": {"trials": 4}}
    assert read_object(given) == document()
    given["metadata"]["creationTimestamp"] = None
    assert read_object(given) == document()


@pytest.mark.parametrize("number", [str, int])
def test_parameters_of_the_sdks_search_can_stand_in_a_dictionary(
    number: Callable[[str], object],
) -> None:
    choice = katib_sdk.search.categorical([number("1"), number("3")])
    choice.name = "x"
    given = document()
    given["spec"]["parameters"] = [choice]
    found = read_object(given)
    assert found is not None
    assert found["spec"]["parameters"][0]["feasibleSpace"] == {"list": ["1", "3"]}
    assert to_experiment(Document("given", found)).parameters[0].name == "x"


def test_what_is_no_object_of_katibs_is_none() -> None:
    assert read_object("experiment.yaml") is None
    assert read_object(None) is None


def test_a_pydantic_model_is_read_by_its_aliases() -> None:
    from pydantic import BaseModel, Field

    class Model(BaseModel):
        api_version: str = Field(alias="apiVersion")
        kind: str
        spec: dict[str, Any] | None = None

    model = Model(apiVersion="kubeflow.org/v1beta1", kind="Experiment")
    assert read_object(model) == {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment"}


def test_without_the_package_no_object_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubeflow.katib", None)
    with pytest.raises(ModuleNotFoundError):
        to_sdk_experiment(document())
