"""Rules for the workflow files, as far as they can be read without GitHub."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support.cli import ROOT
from support.scripts import run

WORKFLOWS = {
    path.stem: path.read_text() for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
DOCUMENTS: dict[str, dict[Any, Any]] = {
    name: yaml.safe_load(text) for name, text in WORKFLOWS.items()
}
TRIGGERS = {
    name: document[True] for name, document in DOCUMENTS.items()
}  # YAML's word `on` is a boolean
JOBS = [
    (name, job, content)
    for name, document in DOCUMENTS.items()
    for job, content in document["jobs"].items()
]
SCRIPTS = sorted(
    p for p in (ROOT / "scripts").rglob("*") if p.is_file() and p.read_bytes().startswith(b"#!")
)


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for workflow, job, content in JOBS:
        for step in content["steps"]:
            yield f"{workflow}.{job}", step


def matches(path: str, patterns: list[str]) -> bool:
    """Return whether a path filter lets a changed file through; the last match decides."""
    accepted = False
    for pattern in patterns:
        glob = (
            re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
        )
        if re.fullmatch(glob.replace(r"\*", "[^/]*"), path):
            accepted = not pattern.startswith("!")
    return accepted


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit(name: str) -> None:
    used = re.findall(r"uses: *(.*)", WORKFLOWS[name])
    assert used
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_has_one_commit() -> None:
    used = {line for text in WORKFLOWS.values() for line in re.findall(r"uses: *(.*)", text)}
    assert len(used) == len({line.split("@")[0] for line in used})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_permitted_that_no_job_asks_for(name: str) -> None:
    assert DOCUMENTS[name]["permissions"] == {}


@pytest.mark.parametrize(
    "content", [content for _, _, content in JOBS], ids=[f"{w}.{j}" for w, j, _ in JOBS]
)
def test_every_job_has_an_end_and_names_its_permissions(content: dict[str, Any]) -> None:
    assert content["timeout-minutes"] <= 360
    assert content["permissions"]
    assert not re.search(r"latest", content["runs-on"])


def test_only_one_job_may_write_to_the_repository_and_it_meets_no_cluster() -> None:
    writers = [
        (job, content)
        for _, job, content in JOBS
        if content["permissions"].get("contents") == "write"
    ]
    assert [job for job, _ in writers] == ["publish"]
    assert "secrets" not in json.dumps(writers[0][1])


def test_no_expression_becomes_part_of_a_command() -> None:
    for where, step in steps():
        assert "${{" not in step.get("run", ""), where


def test_a_clone_keeps_no_credentials() -> None:
    for where, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, where


def test_what_a_step_runs_exists() -> None:
    for where, step in steps():
        for name in re.findall(r"(?:scripts|manifests)/[\w./-]+", step.get("run", "")):
            path = ROOT / name
            assert path.exists(), f"{where}: {name}"
            assert path.is_dir() or path.suffix == ".py" or os.access(path, os.X_OK), (
                f"{where}: {name}"
            )


def test_steps_wait_for_conditions_only() -> None:
    for path in SCRIPTS:
        assert not re.search(r"^\s*sleep ", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize("job", ["minikube", "standing"])
def test_nothing_keeps_what_was_promoted_from_being_recorded(job: str) -> None:
    """After the pipeline only the evidence must be uploaded: the new model serves already."""
    steps = DOCUMENTS["deploy"]["jobs"][job]["steps"]
    (pipeline,) = (n for n, step in enumerate(steps) if "deploy/pipeline" in step.get("run", ""))
    *between, last = steps[pipeline + 1 :]
    assert last["with"]["name"] == "evidence"
    assert all(step.get("continue-on-error") or step.get("if") for step in between)


def test_deployments_queue() -> None:
    assert DOCUMENTS["deploy"]["concurrency"] == {"group": "deploy", "cancel-in-progress": False}


def test_a_pull_request_reaches_no_job_that_deploys() -> None:
    assert set(TRIGGERS["deploy"]) == {"push", "workflow_dispatch"}
    assert TRIGGERS["deploy"]["push"]["branches"] == ["main"]
    for name in WORKFLOWS:
        assert "pull_request_target" not in TRIGGERS[name]
        assert "workflow_run" not in TRIGGERS[name]
    for _, _, content in (job for job in JOBS if job[0] == "ci"):
        text = json.dumps(content)
        assert "environment" not in content
        assert "secrets." not in text
        assert "pipeline" not in text
        assert "write" not in content["permissions"].values()


def test_only_main_is_deployed() -> None:
    jobs = DOCUMENTS["deploy"]["jobs"]
    roots = [content for content in jobs.values() if "needs" not in content]
    assert all(content["if"] == "github.ref == 'refs/heads/main'" for content in roots)


def test_the_standing_cluster_waits_for_approval() -> None:
    jobs = DOCUMENTS["deploy"]["jobs"]
    with_secrets = [name for name, content in jobs.items() if "secrets." in json.dumps(content)]
    assert with_secrets == ["standing"]
    assert jobs["standing"]["environment"] == "production"


@pytest.mark.parametrize(
    ("path", "deploys"),
    [
        ("README.md", False),
        ("docs/deploy.md", False),
        ("docs/decisions/0012-workflow.md", False),
        ("tests/api/server/test_run.py", False),
        ("benchmarks/gate.py", False),
        ("deploy_details.json", False),
        ("katib/README.md", False),
        (".github/workflows/ci.yml", False),
        ("trainer/data/boston.csv", True),
        ("trainer/recipe.py", True),
        ("registry/package/model_package.py", True),
        ("manifests/experiment.yaml", True),
        ("requirements/serving.txt", True),
        ("Dockerfile", True),
        ("pyproject.toml", True),
        ("scripts/deploy/pipeline", True),
        ("scripts/setup", True),
    ],
)
def test_only_what_can_change_the_model_or_its_service_deploys(path: str, *, deploys: bool) -> None:
    assert matches(path, TRIGGERS["deploy"]["push"]["paths"]) is deploys


def test_every_room_and_image_is_watched() -> None:
    patterns = TRIGGERS["deploy"]["push"]["paths"]
    assert matches("Dockerfile", patterns)
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        name = line.removeprefix("!")
        if line.startswith("!") and (ROOT / name).is_dir():
            assert matches(f"{name}/x.py", patterns), name


def test_actionlint_zizmor_and_shellcheck_have_nothing_to_say() -> None:
    done = run("scripts/check-workflows")
    if done.returncode == 3:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
