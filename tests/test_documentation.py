"""What the pages promise about themselves: words, paths, the picture and the site's navigation."""

import asyncio
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import yaml
from support.serving.code_blocks import block

ROOT = Path(__file__).parent.parent
ROOMS = ("api", "katib", "promote", "registry", "trainer", "tunegate")
DOCS = ROOT / "docs"
GLOSSARY = DOCS / "glossary.md"
CODE_PATH = re.compile(
    r"`((?:api|benchmarks|docs|examples|katib|manifests|promote|registry|requirements|scripts|tests"
    r"|trainer|tunegate)/[\w./-]*)`"
)


def _script(name: str) -> ModuleType:
    spec = util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pages() -> list[Path]:
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, ROOT / "benchmarks" / "README.md", *sorted(DOCS.rglob("*.md"))]


def _banned_words() -> list[str]:
    _, _, table = GLOSSARY.read_text().partition("## Words that are not used")
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", table, re.MULTILINE)
    return [word.strip() for row in rows[1:] for word in row.split(",")]


def _stumbles(path: Path, banned: "re.Pattern[str]") -> Iterator[str]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := banned.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: {found[0]}"


@pytest.mark.parametrize("area", [*ROOMS, "scripts", "pages"])
def test_words_that_the_glossary_bans_are_not_used(area: str) -> None:
    banned = _banned_words()
    assert len(banned) > 20
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, banned))})\b", re.IGNORECASE)
    if area == "pages":
        paths = [page for page in _pages() if page != GLOSSARY]
    else:
        paths = [p for p in sorted((ROOT / area).rglob("*")) if p.suffix in {".py", ".toml"}]
    assert paths
    found = [stumble for path in paths for stumble in _stumbles(path, pattern)]
    assert not found, "\n".join(found)


def test_a_word_of_the_glossary_has_one_line_and_one_meaning() -> None:
    text, _, _ = GLOSSARY.read_text().partition("## Words that are not used")
    words = re.findall(r"^\| (?!word \|)([^|-][^|]*) \| [^|]+ \|$", text, re.MULTILINE)
    assert len(words) > 60
    assert sorted(set(words)) == sorted(words)


@pytest.mark.parametrize(
    "page",
    [page for page in _pages() if page.name != "CHANGELOG.md"],  # it names what is gone, too
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_paths_that_a_page_names_exist(page: Path) -> None:
    for name in CODE_PATH.findall(page.read_text()):
        assert (ROOT / name).exists(), name


def test_where_do_i_change_names_at_least_thirty_places() -> None:
    _, _, section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where do I change")
    table, _, _ = section.partition("\n## ")
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE)
    places = [CODE_PATH.findall(row) for row in rows if row != "where"]
    assert len(places) >= 30
    assert all(places)


def test_the_picture_of_the_architecture_is_current() -> None:
    drawn = _script("architecture").render()
    assert (DOCS / "architecture.svg").read_text() == drawn, (
        "run .venv/bin/python scripts/architecture.py > docs/architecture.svg"
    )


def test_what_is_guaranteed_has_tests_that_exist() -> None:
    script = _script("guarantees")
    names = script.named_tests(tomllib.loads(script.PROMISES.read_text()))
    assert len(names) > 50
    for name in names:
        assert script.node_ids(name)
    with pytest.raises(LookupError, match="no test_nothing"):
        script.node_ids("tests/test_documentation.py::test_nothing")


def test_the_page_of_guarantees_is_current() -> None:
    script = _script("guarantees")
    promises = tomllib.loads(script.PROMISES.read_text())
    rendered = script.render(promises, json.loads(script.RESULTS.read_text()))
    assert script.PAGE.read_text() == rendered, "run .venv/bin/python scripts/guarantees.py"


FIGURE = '<properties><property name="figure" value="7 points" /></properties>'
PASSED = f'<testcase classname="tests.a.test_b.TestC" name="test_d[x]">{FIGURE}</testcase>'
FAILED = '<testcase classname="tests.a.test_b" name="test_d"><failure /></testcase>'


def test_a_figure_is_the_one_that_a_run_printed(tmp_path: Path) -> None:
    run = tmp_path / "run.xml"
    run.write_text(f"<testsuites><testsuite>{PASSED}{PASSED}</testsuite></testsuites>")
    results = _script("guarantees").read_run(run, ["tests/a/test_b.py::test_d"])
    expected = {"passed": 2, "skipped": 0, "figures": ["7 points"]}
    assert results == {"tests/a/test_b.py::test_d": expected}


def test_a_test_that_failed_guarantees_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run.xml"
    run.write_text(f"<testsuites><testsuite>{PASSED}{FAILED}</testsuite></testsuites>")
    with pytest.raises(SystemExit, match=r"test_b\.py::test_d failed"):
        _script("guarantees").read_run(run, ["tests/a/test_b.py::test_d"])


def test_a_test_that_was_not_run_has_no_result(tmp_path: Path) -> None:
    run = tmp_path / "run.xml"
    run.write_text(f"<testsuites><testsuite>{PASSED}</testsuite></testsuites>")
    script = _script("guarantees")
    assert script.read_run(run, ["tests/a/test_b.py::test_e"]) == {}
    promise = {"says": "It holds.", "tests": ["tests/a/test_b.py::test_e"]}
    assert "| not run |" in script.render({"section": [{"title": "A", "promise": [promise]}]}, {})


def _names(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, list):
        for entry in entries:
            yield from _names(entry)
    elif isinstance(entries, dict):
        for entry in entries.values():
            yield from _names(entry)


def test_every_page_is_in_the_sites_navigation() -> None:
    text = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text())
    named = set(_names(yaml.safe_load(text)["nav"]))
    written = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert written <= named


def test_every_room_has_a_page_of_reference() -> None:
    for room in ROOMS:
        assert f"::: {room}\n" in (DOCS / "reference" / f"{room}.md").read_text()


def test_the_version_has_an_entry_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert versions[0] == "0.2.0"


def test_the_route_that_the_page_shows_answers() -> None:
    from fastapi import FastAPI

    shown: dict[str, Any] = {}
    exec(block(DOCS / "serving.md", "python", 0), shown)  # noqa: S102 - the page's own text
    app = FastAPI()
    app.include_router(shown["router"])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/hello")

    assert asyncio.run(ask()).json() == {"hello": "world"}
