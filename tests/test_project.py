"""The project's own promises: locks, exports, documentation, optional packages."""

import ast
import fnmatch
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.cli import environment
from support.cluster.clusters import temporary_namespace
from support.cluster.kubectl import kubectl
from support.patience import patience
from support.slow_modules import SLOW

ROOT = Path(__file__).parent.parent
ROOMS = ("api", "katib", "promote", "registry", "trainer", "tunegate")
ROLES = ("trainer", "serving", "serving-all", "promote", "suggestion", "cluster", "local", "dev")
FOLDERS = (*ROOMS, "benchmarks", "pipelines", "scripts", "tests")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's number of lines, without those of its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def _script(name: str) -> object:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("role", [*ROLES, "docs", "build", "uv", "workflows"])
def test_locks_are_current(role: str) -> None:
    digest = _script("lock_inputs").digest(ROOT / "pyproject.toml")  # type: ignore[attr-defined]
    first = (ROOT / "requirements" / f"{role}.txt").read_text().splitlines()[0]
    assert first.endswith(digest), "run scripts/lock"


@pytest.mark.parametrize("role", ["trainer", "serving", "clients"])
def test_a_lock_satisfies_its_role_and_names_no_registry(role: str) -> None:
    lock = {"clients": "promote"}.get(role, role)
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    pins = dict(re.findall(r"^([a-zA-Z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))
    wanted = (
        PYPROJECT["project"]["dependencies"] + PYPROJECT["project"]["optional-dependencies"][role]
    )
    for line in wanted:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[requirement.name.lower()]), line
    assert "://" not in text
    assert text.count("--hash=sha256:") > len(pins)


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_exports_exist_and_are_sorted(room: str) -> None:
    module = importlib.import_module(room)
    names = getattr(module, "__all__", [])
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(module, name) for name in names)
    assert module.__doc__
    assert len(module.__doc__.strip().splitlines()) <= 6


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "import tunegate.cli, tunegate.workspace, api.app, api.server.run",
            ("sklearn", "pandas", "scipy", "optuna"),
        ),
        ("import trainer.__main__", ("fastapi", "optuna", "httpx", "click")),
        ("import katib.local.engine", ("sklearn", "pandas", "fastapi", "kubernetes")),
        (
            "import promote, registry.sqlite, tunegate.workspace",
            ("sklearn", "fastapi", "optuna", "mr_openapi", "kubernetes"),
        ),
    ],
)
def test_a_role_works_without_the_other_roles_packages(code: str, absent: tuple[str, ...]) -> None:
    block = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); {code}"
    done = subprocess.run(
        [sys.executable, "-c", block],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_documented() -> None:
    render = _script("cli_docs").render  # type: ignore[attr-defined]
    assert (ROOT / "docs" / "cli.md").read_text() == render(), (
        "run scripts/cli_docs.py > docs/cli.md"
    )


def test_links_in_the_documentation_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_lines_stay_within_100_columns(folder: str) -> None:
    lines = [line for path in _modules(folder) for line in path.read_text().splitlines()]
    wide = [line for line in lines if len(line) > 100]
    assert len(wide) <= 0.01 * len(lines)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_holds_more_than_20_modules(folder: str) -> None:
    sizes = Counter(path.parent for path in _modules(folder) if path.name != "__init__.py")
    assert [path for path, size in sizes.items() if size > 20] == []


@pytest.mark.parametrize("room", ROOMS)
def test_modules_and_functions_stay_short(room: str) -> None:
    for path in _modules(room):
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, FUNCTIONS):
                assert _code_lines(node) <= 60, f"{path}: {node.name}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_public_name_is_defined_once_in_a_room(room: str) -> None:
    modules = defaultdict(set)
    for path in _modules(room):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
                modules[node.name].add(str(path.relative_to(ROOT / room)))
    twice = {name for name, paths in modules.items() if len(paths) > 1}
    assert twice <= {"main"}  # of a program


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_marked_as_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").read_text() == ""


def test_time_outs_grow_with_the_chosen_patience_or_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TUNEGATE_TEST_PATIENCE", "5")
    assert patience(2) == 10
    monkeypatch.delenv("TUNEGATE_TEST_PATIENCE")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (30.0, 0.0, 0.0))
    assert patience(2) == 30
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.0, 0.0))
    assert patience(2) == 2


def test_the_quick_run_leaves_out_only_modules_that_exist() -> None:
    modules = [path.relative_to(ROOT / "tests").as_posix() for path in _modules("tests")]
    assert [pattern for pattern in SLOW if not fnmatch.filter(modules, pattern)] == []


def test_the_committed_deploy_details_are_valid() -> None:
    import jsonschema

    schema = json.loads((ROOT / "promote" / "deploy_details.schema.json").read_text())
    jsonschema.validate(json.loads((ROOT / "deploy_details.json").read_text()), schema)


@pytest.mark.cluster
def test_the_experiment_is_accepted_by_the_cluster() -> None:
    text = (ROOT / "manifests" / "experiment.yaml").read_text()
    with temporary_namespace() as name:
        kubectl(
            "create", "--dry-run=server", "-f", "-", stdin=text.replace("tunegate-search", name)
        )
