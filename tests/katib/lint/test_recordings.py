"""Lint against a real Katib: what it refused, what it accepted, and what it then hung on."""

from typing import Any

import pytest
from support.cluster.recordings import CASES, recorded_answers, recorded_case
from support.katib.lint_cases import GONE, Edits, codes, edited

ONLY_ON_THE_CLUSTER = "037-other-namespace"  # a label of the namespace is not in the document
ANSWERS = {
    answer["name"]: answer for answer in recorded_answers() if answer["name"] != ONLY_ON_THE_CLUSTER
}
REFUSED = sorted(name for name, answer in ANSWERS.items() if answer["refused"])
ACCEPTED = sorted(set(ANSWERS) - set(REFUSED))
JOB = "spec.trialTemplate.trialSpec"
POD = f"{JOB}.spec.template.spec"
COMMAND = f"{POD}.containers.0.command"
DEPTH, BOOTSTRAP = (f"spec.parameters.{index}.feasibleSpace" for index in (3, 4))
ALGORITHM = "spec.algorithm.algorithmName"


def test_there_are_as_many_refusals_as_were_recorded() -> None:
    assert (len(REFUSED), ACCEPTED) == (35, ["035-bad-filter", "036-one-group-filter"])


@pytest.mark.parametrize("name", REFUSED)
def test_what_katib_refused_is_an_error_of_the_first_hundred(name: str) -> None:
    assert any(code < "K2" for code in codes(ANSWERS[name]["applied"], "error"))


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_bad_filter_that_katib_accepts_is_found_all_the_same(name: str) -> None:
    assert codes(ANSWERS[name]["applied"], "error") == {"K211"}


@pytest.mark.parametrize("case", CASES)
def test_what_katib_ran_has_no_error_and_what_it_hung_on_has_one(case: str) -> None:
    expected = {"h-bad-setting": {"K220"}, "i-no-command": {"K232", "K310"}}
    assert codes(recorded_case(case)["applied"], "error") == expected.get(case, set())


TRAPS: dict[str, tuple[str, Edits]] = {
    "a misspelt field is dropped": ("K201", {"spec.maxFailedTrialsCount": 3}),
    "an unquoted number": ("K101", {f"{DEPTH}.min": 4}),
    "a parameter that no trial parameter refers to": (
        "K230",
        {"spec.trialTemplate.trialParameters.7": GONE},
    ),
    "min above max": ("K204", {f"{DEPTH}.min": "31"}),
    "min equal to max": ("K204", {f"{DEPTH}.min": "30"}),
    "a step that does not fit": ("K205", {f"{DEPTH}.step": "100"}),
    "a step of 0": ("K205", {f"{DEPTH}.step": "0"}),
    "bounds that are no numbers": ("K203", {f"{DEPTH}.min": "four"}),
    "the same value twice": ("K209", {f"{BOOTSTRAP}.list": ["true", "true"]}),
    "grid over a double without step": ("K207", {ALGORITHM: "grid"}),
    "a double from 0 with skopt": (
        "K208",
        {ALGORITHM: "bayesianoptimization", "spec.parameters.0.feasibleSpace.min": "0"},
    ),
    "a primary container that does not exist": (
        "K231",
        {"spec.trialTemplate.primaryContainerName": "training"},
    ),
    "no bound at all": ("K202", {"spec.maxTrialCount": GONE, "spec.maxFailedTrialCount": GONE}),
    "a setting that the service does not know": (
        "K220",
        {"spec.algorithm.algorithmSettings.0.name": "seed"},
    ),
    "no command": ("K232", {COMMAND: GONE}),
    "an empty command": ("K232", {COMMAND: []}),
    "a shell by its path": ("K233", {COMMAND: ["/bin/sh", "-c", "python -m trainer"]}),
    "a shell with two options": ("K233", {COMMAND: ["sh", "-ec", "python -m trainer"]}),
    "a shell alone": ("K233", {COMMAND: ["sh"]}),
    "metrics printed before the last command": (
        "K241",
        {COMMAND: ["sh", "-c", "python -m trainer; date"]},
    ),
    "an argument with a blank": ("K242", {f"{COMMAND}.3": "--data=my data"}),
    "an argument with a star": ("K242", {f"{COMMAND}.3": "--data=*.csv"}),
    "ten minutes of retries": ("K240", {f"{JOB}.spec.backoffLimit": GONE}),
}


@pytest.mark.parametrize(("code", "edits"), TRAPS.values(), ids=list(TRAPS))
def test_a_trap_that_katib_lets_one_walk_into_is_found(code: str, edits: dict[str, Any]) -> None:
    assert code in codes(edited(edits))
