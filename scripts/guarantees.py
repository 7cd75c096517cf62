"""Make docs/guarantees.md: each promise, the tests that prove it, and what a run of them printed.

    python scripts/guarantees.py --tests          # the tests to run, a line each
    pytest --junitxml run.xml $(python scripts/guarantees.py --tests)
    python scripts/guarantees.py run.xml          # keeps the results, and writes the page

The promises are in docs/guarantees.toml, the results of the last run in docs/guarantees.json. A
test prints a figure by pytest's `record_property`. A run of the whole suite will do as well; tests
that are not in a run keep what an earlier one has shown.
"""

import argparse
import ast
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parent.parent
PROMISES = ROOT / "docs" / "guarantees.toml"
RESULTS = ROOT / "docs" / "guarantees.json"
PAGE = ROOT / "docs" / "guarantees.md"
FIGURES = 3  # of one test on the page; cases of one test may be many
HEAD = """# What is guaranteed, and how that is known

Made by `scripts/guarantees.py` from a run of the tests. Each promise has the tests that prove it,
and what they counted in that run: how many cases passed, and the figures that they printed. What is
in [decisions](decisions.md) and [benchmarks](benchmarks.md) was measured instead: there a figure
depends on the machine.
"""
FOOT = """## What nobody promises

Tried by hand: the tests of the loader, the ledger, the gate, the promotion and the readers of
tables on CPython 3.11.0 (numpy 2.4.6) and 3.14.7 (numpy 2.5.5), with the newest wheels of all
libraries that each had; and how many small faults in these modules the tests notice
([benchmarks](benchmarks.md#faults-that-the-tests-notice)).

A writer of `pointers/` who forges the history there too decides what is served, and a writer of the
ledger can begin another one: [SECURITY.md](../SECURITY.md) says who can do what. A run proves what
it has run: tests that need a cluster or other people's programs are skipped where those are
missing, and the table says so.
"""
Document = dict[str, Any]


def named_tests(promises: Document) -> list[str]:
    """Return the named tests, `path::name`, without repetition."""
    found = [
        name
        for section in promises["section"]
        for promise in section["promise"]
        for name in promise["tests"]
    ]
    return list(dict.fromkeys(found))


def node_ids(name: str) -> list[str]:
    """Return what pytest is to run for `path::name`: its node, or the folder of a contract.

    Raises:
        LookupError: when there is no such test.
    """
    path, _, test = name.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    inside = {
        function.name: [path, *owner, function.name]
        for owner, body in _bodies(tree)
        for function in body
        if isinstance(function, ast.FunctionDef)
    }
    if test not in inside:
        raise LookupError(f"{path} has no {test}")
    if _is_contract(path):
        return [str(Path(path).parent)]
    return ["::".join(inside[test])]


def _bodies(tree: ast.Module) -> Iterator[tuple[list[str], list[ast.stmt]]]:
    yield [], tree.body
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            yield [each.name], each.body


def _is_contract(path: str) -> bool:
    """Whether a module's tests run in the classes that inherit them."""
    return not Path(path).name.startswith("test_")


def read_run(junit: Path, names: Sequence[str]) -> Document:
    """Return what became of the named tests, as far as they are in the run.

    Raises:
        SystemExit: when one failed.
    """
    cases = list(ET.parse(junit).getroot().iter("testcase"))  # noqa: S314 - our own run's
    results: Document = {}
    for name in names:
        found = [case for case in cases if _is_case_of(case, name)]
        outcomes = Counter(_outcome(case) for case in found)
        if outcomes["failed"]:
            raise SystemExit(f"{name} failed: it guarantees nothing")
        if not found:
            print(f"not in this run: {name}", file=sys.stderr)
            continue
        results[name] = {
            "passed": outcomes["passed"],
            "skipped": outcomes["skipped"],
            "figures": _figures(found),
        }
    return results


def render(promises: Document, results: Mapping[str, Document]) -> str:
    """Return the page."""
    lines = [HEAD]
    for section in promises["section"]:
        lines += [
            f"## {section['title']}\n",
            "| promise | proven by | in the run |",
            "|---|---|---|",
        ]
        lines += [_row(promise, results) for promise in section["promise"]]
        lines.append("")
    return "\n".join([*lines, FOOT])


def _row(promise: Document, results: Mapping[str, Document]) -> str:
    tests = "<br>".join(f"`{name}`" for name in promise["tests"])
    figures = "<br>".join(_result(results.get(name, {})) for name in promise["tests"])
    return f"| {promise['says']} | {tests} | {figures} |"


def _result(result: Document) -> str:
    if not result:
        return "not run"
    passed = result["passed"]
    if not passed:
        return "skipped: not on that machine"
    cases = f"{passed} case{'s' if passed > 1 else ''} passed"
    if result["skipped"]:
        cases += f", {result['skipped']} skipped"
    return "; ".join([cases, *result["figures"]])


def _is_case_of(case: ET.Element, name: str) -> bool:
    path, _, test = name.partition("::")
    module = path.removesuffix(".py").replace("/", ".")
    place = case.get("classname", "")
    if _is_contract(path):
        module = module.rpartition(".")[0]
    same_test = case.get("name", "").partition("[")[0] == test
    return same_test and (place == module or place.startswith(f"{module}."))


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def _figures(cases: Sequence[ET.Element]) -> list[str]:
    """Return what the cases of a test printed: texts as they are, of numbers the largest."""
    texts: list[str] = []
    numbers: dict[str, float] = {}
    for case in cases:
        for each in case.iter("property"):
            label = each.get("name", "")
            value = each.get("value", "")
            if label == "figure":
                texts.append(value)
            else:
                numbers[label] = max(numbers.get(label, 0), float(value))
    largest = [f"{label} at most {number:,.0f}" for label, number in numbers.items()]
    return [*largest, *list(dict.fromkeys(texts))[:FIGURES]]


def main() -> None:
    """Print the tests, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("junit", type=Path, nargs="?", help="a run's results, as --junitxml writes")
    parser.add_argument("--tests", action="store_true", help="print the tests to run")
    options = parser.parse_args()
    promises = tomllib.loads(PROMISES.read_text())
    names = named_tests(promises)
    if options.tests:
        print("\n".join(dict.fromkeys(node for name in names for node in node_ids(name))))
        return
    if options.junit:
        known = json.loads(RESULTS.read_text()) | read_run(options.junit, names)
        results = {name: known[name] for name in names if name in known}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(render(promises, json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
