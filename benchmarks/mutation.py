"""How many small faults in gate, ledger, promotion and loader would the tests notice?

    python -m benchmarks.mutation --mutants 200 --seed 1 --jobs 2

A seeded sample of mutants, each one change of one line in a copy of the tree: a comparison turned
round or moved to or from its threshold, a condition that always or never holds, `and` for `or`, a
number that is one more, a `raise` or a call that is left out. The tests of the module run until
the first fails. Shown is the share that was noticed, and each mutant that was not: those of
benchmarks/mutation.toml change nothing that anybody can see, and it says why; the others are gaps.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent
EXPLAINED = Path(__file__).with_suffix(".toml")
UNUSED = shutil.ignore_patterns(".*", "build", "dist")
GATE = (
    "tests/promote/test_policy.py",
    "tests/promote/test_gate_verdicts.py",
    "tests/promote/test_gate_guards.py",
    "tests/promote/test_gate_data.py",
    "tests/promote",
    "tests/tunegate/promotion/test_decision.py",
    "tests/tunegate/promotion/test_outside_evidence.py",
    "--ignore=tests/promote/promotion",
)
PROMOTION = (
    "tests/promote/promotion/test_promotion.py",
    "tests/promote/promotion/test_fence.py",
    "tests/promote/promotion/test_crash.py",
    "tests/promote/test_repair.py",
    "tests/promote/test_rollback.py",
    "tests/promote/test_smoke.py",
    "tests/promote/test_history_file.py",
    "tests/promote/test_deploy_details.py",
    "tests/promote/promotion/test_races.py",
    "tests/promote/promotion/test_crash_points.py",
)
LEDGER = (
    "tests/contract/test_sqlite_ledger.py",
    "tests/registry/test_ledger.py",
    "tests/registry/test_store.py",
    "tests/registry/test_atomic_files.py",
    "tests/registry/test_record.py",
    "tests/promote/promotion/test_fence.py",
    "tests/promote/test_repair.py",
    "tests/tunegate/commands/test_history.py",
)
BUCKET = ("tests/registry/bucket",)
LOADER = (
    "tests/registry/package",
    "tests/property/test_damaged_packages.py",
    "tests/property/test_forged_forests.py",
    "--ignore=tests/registry/package/test_kernel.py",
    "--ignore=tests/registry/package/test_kernel_sanitizers.py",
)
TESTS: dict[str, tuple[str, ...]] = {
    "promote/challenges.py": GATE,
    "promote/checks.py": GATE,
    "promote/evidence.py": GATE,
    "promote/gate.py": GATE,
    "promote/gate_input.py": GATE,
    "promote/guards.py": GATE,
    "promote/named_slices.py": GATE,
    "promote/policy.py": GATE,
    "promote/verdict.py": GATE,
    "promote/deploy_details.py": PROMOTION,
    "promote/history_file.py": PROMOTION,
    "promote/lease.py": PROMOTION,
    "promote/pointing.py": PROMOTION,
    "promote/promotion.py": PROMOTION,
    "promote/smoke.py": PROMOTION,
    "registry/atomic_files.py": LEDGER,
    "registry/chain.py": LEDGER,
    "registry/history.py": LEDGER,
    "registry/ledger.py": LEDGER,
    "registry/record.py": LEDGER,
    "registry/sqlite.py": LEDGER,
    "registry/store.py": LEDGER,
    "registry/bucket/bucket.py": BUCKET,
    "registry/bucket/bucket_ledger.py": BUCKET,
    "registry/bucket/bucket_store.py": BUCKET,
    "registry/package/array_checks.py": LOADER,
    "registry/package/arrays_file.py": LOADER,
    "registry/package/columns.py": LOADER,
    "registry/package/forest.py": LOADER,
    "registry/package/golden.py": LOADER,
    "registry/package/linear.py": LOADER,
    "registry/package/manifest.py": LOADER,
    "registry/package/model_package.py": LOADER,
    "registry/package/package_files.py": LOADER,
    "registry/package/predictor.py": LOADER,
}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True)
class Mutant:
    """One change: in which module, function and line, and the whole text."""

    module: str
    line: int
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.before} -> {self.after}"


def all_mutants(module: str) -> list[tuple[str, int, int]]:
    """Return each mutant of a module: the module, a node's place in its tree, a change's number."""
    tree = ast.parse((ROOT / module).read_text())
    return [
        (module, place, change)
        for place, node in enumerate(ast.walk(tree))
        for change in range(2)
        if isinstance(node, ast.stmt | ast.expr) and _mutate(copy.deepcopy(node), change)
    ]


def make_mutant(module: str, place: int, change: int) -> Mutant:
    """Return one of `all_mutants` with its text."""
    tree = ast.parse((ROOT / module).read_text())
    sound = ast.unparse(tree).splitlines()
    target = list(ast.walk(tree))[place]
    _mutate(target, change)
    mutated = ast.unparse(tree).splitlines()
    before, after = next(pair for pair in zip(sound, mutated, strict=False) if pair[0] != pair[1])
    line = getattr(target, "lineno", 0)
    return Mutant(module, line, before.strip(), after.strip(), "\n".join(mutated))


def _mutate(node: ast.AST, change: int) -> bool:
    """Change a node in place, in the way of this number; return whether there is such a way."""
    if isinstance(node, ast.If) and _is_not_typing(node):
        node.test = ast.Constant(value=bool(change))
        return True
    return not change and _mutate_otherwise(node)


def _mutate_otherwise(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        node.ops[0] = COMPARISONS[type(node.ops[0])]()
        return True
    if isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        return True
    if isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
        return True
    return isinstance(node, ast.FunctionDef | ast.With | ast.For) and _leave_out_call(node)


def _is_not_typing(node: ast.If) -> bool:
    return not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")


def _leave_out_call(node: ast.FunctionDef | ast.With | ast.For) -> bool:
    """Leave out the first statement that only calls or raises."""
    for place, each in enumerate(node.body):
        call = isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)
        if call or isinstance(each, ast.Raise):
            node.body[place] = ast.Pass()
            return True
    return False


def main() -> None:
    """Try a sample, and print what the tests did not notice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--modules", nargs="+", choices=list(TESTS), default=list(TESTS))
    options = parser.parse_args()
    places = [each for module in options.modules for each in all_mutants(module)]
    rng = random.Random(options.seed)  # noqa: S311 - a sample
    chosen = rng.sample(places, min(options.mutants, len(places)))
    sample = [make_mutant(*each) for each in chosen]
    print(f"{len(sample)} of {len(places)} mutants", flush=True)
    survivors = list(_survivors(sample, options.jobs))
    noticed = len(sample) - len(survivors)
    print(f"{noticed} of {len(sample)} noticed: {noticed / len(sample):.1%}")
    known = tomllib.loads(EXPLAINED.read_text())["mutant"]
    explained = {(each["module"], each["before"], each["after"]): each["why"] for each in known}
    for mutant in survivors:
        why = explained.get((mutant.module, mutant.before, mutant.after), "A GAP")
        print(f"{mutant}: {why}")


def _survivors(sample: list[Mutant], jobs: int) -> Iterator[Mutant]:
    """Yield the mutants that no test notices; each job has a copy of the tree for itself."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as threads:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            trees.put(shutil.copytree(ROOT, Path(folder) / str(number), ignore=UNUSED))
        lists = {TESTS[mutant.module] for mutant in sample}
        list(threads.map(lambda each: _check_sound(each, trees), lists))
        done = threads.map(lambda each: _survives(each, trees), sample)
        for number, (mutant, survives) in enumerate(zip(sample, done, strict=True), start=1):
            print(number, mutant.module, file=sys.stderr, flush=True)
            if survives:
                print(f"not noticed: {mutant}", file=sys.stderr, flush=True)
                yield mutant


def _check_sound(tests: tuple[str, ...], trees: "SimpleQueue[Path]") -> None:
    """Run the tests on the tree as it is.

    Raises:
        SystemExit: when one fails: it would notice every mutant.
    """
    tree = trees.get()
    done = _run_tests(tree, tests)
    trees.put(tree)
    if done.returncode:
        raise SystemExit(f"the tests fail without any mutant:\n{done.stdout}{done.stderr}")


def _survives(mutant: Mutant, trees: "SimpleQueue[Path]") -> bool:
    tree = trees.get()
    path = tree / mutant.module
    sound = path.read_text()
    path.write_text(mutant.text)
    try:
        return _run_tests(tree, TESTS[mutant.module]).returncode == 0
    except subprocess.TimeoutExpired:  # it hangs: noticed
        return False
    finally:
        path.write_text(sound)
        trees.put(tree)


def _run_tests(tree: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "--timeout", "60"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *tests],
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'tests'}",
            "PYTHONDONTWRITEBYTECODE": "1",  # two mutants of one second and size are two modules
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


if __name__ == "__main__":
    main()
