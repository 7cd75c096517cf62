"""How many small faults in gate, ledger, promotion and loader would the tests notice?

    python -m benchmarks.mutation --mutants 40 --seconds 600

A seeded sample of mutants, each one change of one line in a copy of the tree: a comparison turned
round or moved to or from its threshold, a condition that always or never holds, `and` for `or`, a
number that is one more, a `raise` or a call that is left out. The tests of the module run until
the first fails. Shown is the share that was noticed, and each mutant that was not, to be looked at:
some change nothing that anybody can see.
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
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("api", "benchmarks", "katib", "promote", "registry", "tests", "trainer", "tunegate")
TESTS: dict[str, tuple[str, ...]] = {
    "promote/gate.py": ("tests/promote/test_gate_verdicts.py", "tests/promote/test_gate_data.py"),
    "promote/checks.py": (
        "tests/promote/test_gate_verdicts.py",
        "tests/promote/test_gate_data.py",
        "tests/promote/test_gate_guards.py",
    ),
    "promote/pointing.py": (
        "tests/promote/promotion/test_fence.py",
        "tests/promote/test_repair.py",
        "tests/promote/promotion/test_crash.py",
    ),
    "promote/promotion.py": (
        "tests/promote/promotion/test_crash.py",
        "tests/promote/promotion/test_promotion.py",
        "tests/promote/test_repair.py",
        "tests/promote/test_rollback.py",
    ),
    "registry/chain.py": ("tests/contract/test_sqlite_ledger.py",),
    "registry/sqlite.py": ("tests/contract/test_sqlite_ledger.py",),
    "registry/package/arrays_file.py": ("tests/registry/package",),
    "registry/package/forest.py": ("tests/registry/package",),
    "registry/package/golden.py": ("tests/registry/package",),
    "registry/package/model_package.py": ("tests/registry/package",),
    "registry/package/package_files.py": ("tests/registry/package",),
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
    """One change: in which module, at which line, what the line becomes, and the whole text."""

    module: str
    line: int
    becomes: str
    text: str


def sample_mutants(module: str, most: int, rng: random.Random) -> list[Mutant]:
    """Return a sample of a module's mutants."""
    tree = ast.parse((ROOT / module).read_text())
    places = [
        (place, change)
        for place, node in enumerate(ast.walk(tree))
        for change in range(2)
        if isinstance(node, ast.stmt | ast.expr) and _mutate(copy.deepcopy(node), change)
    ]
    return [
        _mutant(module, tree, place, change)
        for place, change in rng.sample(places, min(most, len(places)))
    ]


def _mutant(module: str, tree: ast.Module, place: int, change: int) -> Mutant:
    mutated = copy.deepcopy(tree)
    target = list(ast.walk(mutated))[place]
    _mutate(target, change)
    line = getattr(target, "lineno", 0)
    return Mutant(module, line, ast.unparse(target).splitlines()[0], ast.unparse(mutated))


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
    parser.add_argument("--mutants", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=600, help="of CPU, of the tests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modules", nargs="+", choices=list(TESTS), default=list(TESTS))
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - a sample
    each = options.mutants // len(options.modules) + 1
    sample = [m for module in options.modules for m in sample_mutants(module, each, rng)]
    rng.shuffle(sample)
    survivors, tried = _try_all(sample[: options.mutants], options.seconds)
    print(f"{tried - len(survivors)} of {tried} noticed")
    for mutant in survivors:
        print(f"{mutant.module}:{mutant.line}: {mutant.becomes}")


def _try_all(sample: list[Mutant], seconds: float) -> tuple[list[Mutant], int]:
    survivors = []
    tried = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for name in FOLDERS:
            shutil.copytree(ROOT / name, tree / name)
        for name in ("pyproject.toml", "deploy_details.json", "README.md"):
            shutil.copy(ROOT / name, tree)
        begun = os.times()
        for mutant in sample:
            if _cpu_since(begun) > seconds:
                break
            tried += 1
            if _survives(mutant, tree):
                survivors.append(mutant)
                print(f"not noticed: {mutant.module}:{mutant.line}: {mutant.becomes}", flush=True)
    return survivors, tried


def _survives(mutant: Mutant, tree: Path) -> bool:
    path = tree / mutant.module
    sound = path.read_text()
    path.write_text(mutant.text)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'tests'}"}
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [*command, *TESTS[mutant.module]],
            cwd=tree,
            env=environment,
            capture_output=True,
            timeout=600,
            check=False,
        )
    except subprocess.TimeoutExpired:  # it hangs: noticed
        return False
    finally:
        path.write_text(sound)
    print(f"{mutant.module}:{mutant.line} {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return done.returncode == 0


def _cpu_since(begun: os.times_result) -> float:
    now = os.times()
    return now.children_user + now.children_system - begun.children_user - begun.children_system


if __name__ == "__main__":
    main()
