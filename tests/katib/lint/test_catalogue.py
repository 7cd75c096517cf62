"""Each rule's examples, from the one place that docs/lint.md is made from, too."""

import importlib.util
import re
from pathlib import Path

import pytest

import katib
from katib.lint import lint_text
from katib.lint.catalogue import Rule, all_rules, example_experiment
from katib.lint.fix import apply_fixes

ROOT = Path(__file__).parents[3]
RULES = list(all_rules().values())
# What the Experiment around an example breaks, too: both templates at once, a collector that the
# local engine does not read, or early stopping without `retain`.
AROUND = {
    **{code: {"K257"} for code in ("K150", "K221", "K222", "K255")},
    "K166": {"K303"},
    "K225": {"K301"},
    "K216": {"K257"},
    "K165": {"K215", "K303"},
    "K187": {"K173", "K304"},
    "K270": {"K104"},
}


def codes(text: str) -> set[str]:
    return {finding.code for finding in lint_text(text, "example.yaml")}


def test_nothing_is_found_in_the_experiment_that_examples_are_pieces_of() -> None:
    assert codes(example_experiment()) == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_failing_example_breaks_its_rule_and_says_why(rule: Rule) -> None:
    found = [
        finding
        for finding in lint_text(rule.failing_experiment, "example.yaml")
        if finding.code == rule.code
    ]
    assert found
    assert {(finding.severity, finding.why) for finding in found} == {(rule.severity, rule.why)}
    assert all(1 <= finding.line <= rule.failing_experiment.count("\n") + 1 for finding in found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_passing_example_passes_all_rules(rule: Rule) -> None:
    assert codes(rule.passing_experiment) == AROUND.get(rule.code, set())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_fix_corrects_the_failing_example_exactly_where_the_page_says_so(rule: Rule) -> None:
    text, _ = apply_fixes(rule.failing_experiment, lambda text: lint_text(text, "example.yaml"))
    assert (rule.code not in codes(text)) == rule.fixable
    assert apply_fixes(text, lambda text: lint_text(text, "example.yaml")) == (text, [])


def test_every_code_that_a_rule_names_is_in_the_catalogue_and_the_other_way_round() -> None:
    modules = Path(katib.__file__).parent.rglob("*.py")
    written = set(
        re.findall(r'"(K\d{3})"', "".join(path.read_text(encoding="utf-8") for path in modules))
    )
    assert written == set(all_rules())


def test_every_rule_says_what_and_why_in_a_form_that_reads_well() -> None:
    for rule in RULES:
        assert re.fullmatch(r"K[0-3]\d\d", rule.code)
        assert not rule.what.endswith(".")
        assert rule.why.endswith((".", ")")), rule.code
        assert rule.failing.strip() != rule.passing.strip()


def test_the_page_is_what_the_rules_say() -> None:
    spec = importlib.util.spec_from_file_location("lint_docs", ROOT / "scripts" / "lint_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    assert page == module.render(), "run scripts/lint_docs.py > docs/lint.md"
