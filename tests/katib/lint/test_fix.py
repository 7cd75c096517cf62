"""`apply_fixes`: what it changes, and that it changes nothing else."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.katib.lint_cases import SHIPPED

from katib.lint import lint_text
from katib.lint.catalogue import Rule, all_rules, example_experiment
from katib.lint.fix import apply_fixes

TEXT = SHIPPED.read_text(encoding="utf-8")


def fixed(text: str) -> str:
    return apply_fixes(text, lambda text: lint_text(text, "a.yaml"))[0]


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        ('min: 4, max: "30"', 'min: "4", max: "30"'),
        ('min: "0.15", max: 1.0 }', 'min: "0.15", max: "1.0" }'),
        ("list: [true, false]", 'list: ["true", "false"]'),
        ('maxTrialCount: "20"', "maxTrialCount: 20"),
        ("maxTrialCount: '20'", "maxTrialCount: 20"),
        ("algorithmName: TPE", "algorithmName: tpe"),
        ("distribution: LogUniform }", "distribution: logUniform }"),
        ("primaryContainerName: main", "primaryContainerName: trainer"),
        ("activeDeadlineSecond: 600", "activeDeadlineSeconds: 600"),
        ("maxFailedTrialsCount: 5", "maxFailedTrialCount: 5"),
        ("restartPolicy: Always", "restartPolicy: Never"),
        ("apiVersion: Kubeflow.org/v1beta1", "apiVersion: kubeflow.org/v1beta1"),
    ],
)
def test_one_word_is_changed_and_nothing_around_it(broken: str, right: str) -> None:
    assert TEXT.count(right) >= 1
    text = TEXT.replace(right, broken, 1)
    assert "error" in {finding.severity for finding in lint_text(text, "a.yaml")}
    assert fixed(text) == TEXT


def test_a_comment_behind_a_word_stays() -> None:
    text = TEXT.replace("maxTrialCount: 20", "maxTrialCount: '20' # enough")
    assert fixed(text) == TEXT.replace("maxTrialCount: 20", "maxTrialCount: 20 # enough")


def test_a_missing_restart_policy_becomes_a_line_of_its_own() -> None:
    text = TEXT.replace("            restartPolicy: Never\n", "")
    assert fixed(text) == TEXT


def test_an_empty_field_of_the_job_goes_with_its_whole_line() -> None:
    text = TEXT.replace(
        "        backoffLimit: 1\n", "        backoffLimit: 1\n        suspend: # not yet\n"
    )
    assert text != TEXT
    assert fixed(text) == TEXT
    text = TEXT.replace(
        "                image: local",
        "                tty: false # no terminal\n                image: local",
    )
    assert fixed(text) == TEXT


def test_the_name_of_a_template_is_taken_away() -> None:
    text = TEXT.replace(
        "      kind: Job\n",
        "      kind: Job\n      metadata:\n        name: x\n        labels: { a: b }\n",
    )
    kept = TEXT.replace(
        "      kind: Job\n", "      kind: Job\n      metadata:\n        labels: { a: b }\n"
    )
    assert fixed(text) == kept


def test_what_is_found_only_after_another_change_is_fixed_too() -> None:
    text = TEXT.replace("    - name: max_depth\n", "    - name: max_depth # deep\n").replace(
        'feasibleSpace: { min: "4"', "feasiblespace: { min: 4"
    )
    assert fixed(text) == TEXT.replace("    - name: max_depth\n", "    - name: max_depth # deep\n")


def test_windows_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + TEXT.replace("\n", "\r\n")
    broken = text.replace("restartPolicy: Never\r\n            ", "").replace(
        '"4", max: "30"', '4, max: "30"'
    )
    assert broken != text
    assert fixed(broken) == text


def test_json_stays_json() -> None:
    document = yaml.safe_load(TEXT)
    document["spec"]["parameters"][3]["feasibleSpace"]["min"] = 4
    document["spec"]["maxTrialCount"] = "20"
    assert json.loads(fixed(json.dumps(document, indent=2))) == yaml.safe_load(TEXT)


@pytest.mark.parametrize(
    "unclear",
    [
        'min: 0x4, max: "30"',  # a number to YAML 1.1 alone
        'min: 1_0, max: "30"',
        'min: &least 4, max: "30"',  # quotes would take in the anchor
        'min: !!int 4, max: "30"',
    ],
)
def test_what_has_no_single_meaning_is_left_alone(unclear: str) -> None:
    text = TEXT.replace('min: "4", max: "30"', unclear)
    assert "K101" in {finding.code for finding in lint_text(text, "a.yaml")}
    assert fixed(text) == text


def test_two_documents_of_one_text_are_both_fixed() -> None:
    text = f"{TEXT}---\nkind: ConfigMap\n---\n{TEXT}".replace("type: minimize", "type: Minimize")
    assert fixed(text).count("type: minimize") == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([rule for rule in all_rules().values() if not rule.given]),
        max_size=6,
        unique=True,
    )
)
def test_any_mixture_of_faults_is_fixed_at_once(broken: list[Rule]) -> None:
    text = example_experiment()
    for rule in broken:
        passing = rule.passing
        failing = rule.failing
        if "\n" not in passing + failing and text.count(passing) == 1:
            text = text.replace(passing, failing)
    before = [finding for finding in lint_text(text, "a.yaml") if finding.severity == "error"]
    once = fixed(text)
    after = [finding for finding in lint_text(once, "a.yaml") if finding.severity == "error"]
    assert fixed(once) == once
    assert len(after) <= len(before) or "K105" in {finding.code for finding in before}


def test_the_shipped_file_is_left_as_it_is() -> None:
    assert fixed(TEXT) == TEXT
