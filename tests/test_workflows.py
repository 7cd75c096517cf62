"""The workflows, as far as they can be read without GitHub, and their scripts, with stand-ins for tools."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = {path.stem: path.read_text() for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
DOCUMENTS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in WORKFLOWS.items()}
TRIGGERS = {name: document[True] for name, document in DOCUMENTS.items()}  # YAML's word `on` is a boolean
JOBS = [(name, job, content) for name, document in DOCUMENTS.items() for job, content in document["jobs"].items()]
SCRIPTS = sorted(p for p in (ROOT / "scripts").rglob("*") if p.is_file() and p.read_bytes().startswith(b"#!"))
EMPTY = json.loads((ROOT / "deploy_details.json").read_text()) | {"prod_model": None}


def _steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for workflow, job, content in JOBS:
        for step in content["steps"]:
            yield f"{workflow}.{job}", step


def _matches(path: str, patterns: list[str]) -> bool:
    """Return whether a path filter lets a changed file through: the last pattern that fits decides."""
    told = False
    for pattern in patterns:
        glob = re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
        if re.fullmatch(glob.replace(r"\*", "[^/]*"), path):
            told = not pattern.startswith("!")
    return told


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


@pytest.mark.parametrize("content", [content for _, _, content in JOBS], ids=[f"{w}.{j}" for w, j, _ in JOBS])
def test_every_job_has_an_end_and_names_its_permissions(content: dict[str, Any]) -> None:
    assert content["timeout-minutes"] <= 360
    assert content["permissions"]
    assert not re.search(r"latest", content["runs-on"])


def test_only_one_job_may_write_to_the_repository_and_it_meets_no_cluster() -> None:
    writers = [(job, content) for _, job, content in JOBS if content["permissions"].get("contents") == "write"]
    assert [job for job, _ in writers] == ["publish"]
    assert "secrets" not in json.dumps(writers[0][1])


def test_no_expression_becomes_part_of_a_command() -> None:
    for where, step in _steps():
        assert "${{" not in step.get("run", ""), where


def test_a_clone_keeps_no_credentials() -> None:
    for where, step in _steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, where


def test_what_a_step_runs_exists() -> None:
    for where, step in _steps():
        for name in re.findall(r"(?:scripts|manifests)/[\w./-]+", step.get("run", "")):
            path = ROOT / name
            assert path.exists(), f"{where}: {name}"
            assert path.is_dir() or path.suffix == ".py" or os.access(path, os.X_OK), f"{where}: {name}"


def test_steps_wait_for_conditions_only() -> None:
    for path in SCRIPTS:
        assert not re.search(r"^\s*sleep ", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize("job", ["minikube", "standing"])
def test_nothing_keeps_what_was_promoted_from_being_recorded(job: str) -> None:
    """After the pipeline only the evidence must be uploaded; a standing cluster serves the new model already."""
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
        ("tests/api/test_serve.py", False),
        ("benchmarks/gate.py", False),
        ("deploy_details.json", False),
        ("katib/README.md", False),
        (".github/workflows/ci.yml", False),
        ("trainer/data/boston.csv", True),
        ("trainer/recipe.py", True),
        ("registry/package/package.py", True),
        ("manifests/experiment.yaml", True),
        ("requirements/serving.txt", True),
        ("api/Dockerfile", True),
        ("pyproject.toml", True),
        ("scripts/deploy/pipeline", True),
        ("scripts/setup", True),
    ],
)
def test_only_what_can_change_the_model_or_its_service_deploys(path: str, deploys: bool) -> None:  # noqa: FBT001
    assert _matches(path, TRIGGERS["deploy"]["push"]["paths"]) is deploys


def test_every_room_and_image_is_watched() -> None:
    patterns = TRIGGERS["deploy"]["push"]["paths"]
    for dockerfile in ROOT.glob("*/Dockerfile"):
        assert _matches(str(dockerfile.relative_to(ROOT)), patterns)
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        name = line.removeprefix("!")
        if line.startswith("!") and (ROOT / name).is_dir():
            assert _matches(f"{name}/x.py", patterns), name


def test_actionlint_zizmor_and_shellcheck_have_nothing_to_say() -> None:
    done = _run("scripts/check-workflows")
    if done.returncode == 3:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr


def _run(*words: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def _stand_in(folder: Path, name: str, text: str) -> str:
    """Put a program into a folder of its own; returns a PATH that finds it first."""
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(text)
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


class TestRender:
    def test_renames_the_images_where_it_is_told_to(self) -> None:
        file = "manifests/experiment.yaml"
        renamed = _run("scripts/deploy/render", file, IMAGE_PREFIX="example.org/me/", IMAGE_TAG="abc")
        assert re.findall(r"image: (\S+)", renamed.stdout) == ["example.org/me/trainer:abc"]
        assert _run("scripts/deploy/render", file).stdout.rstrip() == (ROOT / file).read_text().rstrip()

    def test_a_missing_overlay_is_an_error(self) -> None:
        assert _run("scripts/deploy/render", "manifests/overlays/nowhere").returncode != 0


class TestAwait:
    CONDITIONS = ("condition=Complete", "condition=Failed")

    def test_the_first_condition_that_holds_ends_it(self, tmp_path: Path) -> None:
        waits = "#!/bin/sh\ncase $* in *Failed*) exit 0 ;; *) exec tail -f /dev/null ;; esac\n"
        path = _stand_in(tmp_path, "kubectl", waits)
        done = _run("scripts/deploy/await", "1m", "job/a", "--", *self.CONDITIONS, PATH=path)
        assert (done.returncode, done.stdout) == (0, "condition=Failed\n")

    def test_what_kubectl_says_comes_through(self, tmp_path: Path) -> None:
        path = _stand_in(tmp_path, "kubectl", "#!/bin/sh\necho 'timed out waiting' >&2\nexit 1\n")
        done = _run("scripts/deploy/await", "1s", "job/a", "--", *self.CONDITIONS, PATH=path)
        assert done.returncode == 1
        assert "timed out waiting" in done.stderr
        assert not done.stdout


# As much of a cluster as the scripts ask for; what runs in a pod is a case of the variable FAKE_POD.
KUBECTL = """#!/bin/sh
echo "$*" >> "$FAKE_KUBECTL"
case $* in
*" exec "*) eval "$FAKE_POD" ;;
kustomize*) echo "kind: List" ;;
esac
"""


class TestPipeline:
    def run(self, tmp_path: Path, pod: str, *words: object) -> "subprocess.CompletedProcess[str]":
        path = _stand_in(tmp_path, "kubectl", KUBECTL)
        return _run(*words, PATH=path, FAKE_KUBECTL=str(tmp_path / "told"), FAKE_POD=f"case $* in {pod} esac")

    def test_what_an_earlier_run_left_in_flight_is_settled_first(self, tmp_path: Path) -> None:
        """The server follows it, so the champion would never be verified, and no run would come to a promotion."""
        pod = '*"tunegate repair") echo "in flight" >&2; exit 21 ;;'
        done = self.run(tmp_path, pod, "scripts/deploy/pipeline", "manifests/overlays/ci", tmp_path / "evidence")
        assert (done.returncode, done.stderr) == (21, "in flight\n")
        assert done.stdout.splitlines() == ["== install", "== repair"]

    @pytest.mark.parametrize(
        ("states", "code", "says"),
        [
            (["live"], 0, "what was in production is in production"),
            (["live", "reverted"], 0, "what was in production is in production"),
            (["live", None], 1, "a promotion is in flight"),
            ([None], 1, "a promotion is in flight"),
            (["live", "live"], 0, "rolled back"),
        ],
    )
    def test_undo_knows_what_there_is_to_undo(
        self, tmp_path: Path, states: list[str | None], code: int, says: str
    ) -> None:
        entries = [
            {"promotion": {"number": n, "sha256": str(n)}, "outcome": state and {"result": state}}
            for n, state in enumerate(states, 1)
        ]
        pod = f"*history*) echo '{json.dumps(entries)}' ;; *\"rollback --to 1\"*) echo rolled back ;;"
        done = self.run(tmp_path, pod, "scripts/deploy/undo", "1")
        assert done.returncode == code, done.stderr
        assert says in done.stdout + done.stderr


def test_minikube_without_its_docker_loads_nothing_elsewhere(tmp_path: Path) -> None:
    text = "#!/bin/sh\ncase $1 in docker-env) exit 69 ;; load) echo loaded ;; esac\n"
    path = _stand_in(tmp_path, "minikube", text)
    shutil.copy(tmp_path / "bin" / "minikube", tmp_path / "bin" / "docker")
    done = _run("scripts/deploy/minikube", "images.tar", PATH=path)
    assert (done.returncode, done.stdout) == (69, "")


class TestSummary:
    def test_shows_verdict_checks_and_production(self, tmp_path: Path) -> None:
        checks = [{"name": "key 1", "passed": False, "otherwise": "keep", "detail": "P < 0.9 | <b>"}]
        model = {"mse": 9.5, "version": "promotion-0001", "uri": "pvc://x/models/1"}
        for name, document in (
            ("verdict", {"verdict": "keep", "reasons": ["no better"], "checks": checks}),
            ("details", EMPTY | {"prod_model": model}),
        ):
            (tmp_path / f"{name}.json").write_text(json.dumps(document))
        done = _run(sys.executable, "scripts/deploy/summary.py", tmp_path / "verdict.json", tmp_path / "details.json")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("## keep: the champion stays\n")
        assert "| **keep** | key 1 | P &lt; 0.9 \\| &lt;b> |" in done.stdout
        assert "| in production | promotion-0001 | mse 9.5 | pvc://x/models/1 |" in done.stdout


# As much of `docker` as the scripts use: it writes down what it was told, and makes a cache's folder.
DOCKER = """#!/bin/sh
echo "$*" >> "$FAKE_DOCKER"
for word in "$@"; do
    folder=${word#type=local,dest=}
    [ "$folder" = "$word" ] || { mkdir -p "${folder%%,*}" && touch "${folder%%,*}/index.json"; }
done
"""


class TestImages:
    def told(self, tmp_path: Path, *words: object, **variables: str) -> tuple[str, list[str]]:
        """Run a script with a stand-in for docker; returns its stdout, and what docker was told."""
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        if not (tmp_path / "bin").exists():
            path = _stand_in(tmp_path, "docker", DOCKER)
        done = _run(*words, PATH=path, FAKE_DOCKER=str(tmp_path / "told"), **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout, (tmp_path / "told").read_text().splitlines()

    def test_all_go_into_one_archive(self, tmp_path: Path) -> None:
        _, told = self.told(tmp_path, "scripts/deploy/images", "images.tar")
        assert [line.split()[2] for line in told[:3]] == ["trainer/Dockerfile", "api/Dockerfile", "promote/Dockerfile"]
        assert re.fullmatch(r"save --output images.tar( localhost/tunegate-(trainer|api|promote):[\d.]+){3}", told[3])

    def test_layers_are_kept_and_used_the_next_time(self, tmp_path: Path) -> None:
        layers = tmp_path / "layers"
        for time in ("first", "second"):
            _, told = self.told(tmp_path, "scripts/deploy/images", "images.tar", LAYERS=str(layers))
            builds = [line for line in told if line.startswith("buildx build")][-3:]
            assert all(("--cache-from" in line) is (time == "second") for line in builds)
            assert all("--load" in line and line.endswith(" .") for line in builds)
            assert sorted(folder.name for folder in layers.iterdir()) == ["api", "promote", "trainer"]

    def test_pushed_names_are_in_lower_case(self, tmp_path: Path) -> None:
        words = ("scripts/deploy/push", "images.tar", "ghcr.io/Some/Project-", "abc")
        prefix, told = self.told(tmp_path, *words)
        assert prefix == "ghcr.io/some/project-\n"
        assert [line for line in told if line.startswith("push")] == [
            f"push ghcr.io/some/project-{role}:abc" for role in ("trainer", "api", "promote")
        ]


# As much of `gh` as scripts/deploy/release.py uses; its state is a folder.
GH = f"""#!{sys.executable}
import base64, hashlib, json, os, pathlib, shutil, sys
words, home = sys.argv[1:], pathlib.Path(os.environ["FAKE_GITHUB"])
release, details = home / "champion", home / "deploy_details.json"
blob = lambda: hashlib.sha1(details.read_bytes()).hexdigest()
if words[0] == "api" and words[1].endswith("/releases"):
    if release.exists():
        print(json.dumps({{"tag_name": "champion", "assets": sorted(p.name for p in release.iterdir())}}))
    print(json.dumps({{"tag_name": "v1", "assets": ["boston-99.zip"]}}))
elif "--method" in words:
    change = json.load(sys.stdin)
    assert change["sha"] == blob() and "[skip ci]" in change["message"]
    details.write_bytes(base64.b64decode(change["content"]))
elif words[0] == "api":
    print(json.dumps({{"content": base64.b64encode(details.read_bytes()).decode(), "sha": blob()}}))
elif words[1] == "download":
    shutil.copyfile(release / words[words.index("--pattern") + 1], words[words.index("--output") + 1])
else:
    release.mkdir(exist_ok=words[1] == "upload")
    source = pathlib.Path(words[3])
    assert not (release / source.name).exists()
    shutil.copyfile(source, release / source.name)
"""


class TestRelease:
    @pytest.fixture
    def github(self, tmp_path: Path) -> Path:
        home = tmp_path / "github"
        home.mkdir()
        (home / "deploy_details.json").write_text(json.dumps(EMPTY))
        return home

    def release(self, github: Path, *words: object) -> "subprocess.CompletedProcess[str]":
        path = f"{github / 'bin'}{os.pathsep}{os.environ['PATH']}"
        if not (github / "bin").exists():
            path = _stand_in(github, "gh", GH)
        return _run(sys.executable, "scripts/deploy/release.py", *words, PATH=path, FAKE_GITHUB=str(github))

    def decide(self, folder: Path, *digests: str, note: str = "") -> Path:
        """Write what scripts/deploy/fetch does, for a ledger of these packages."""
        folder.mkdir(exist_ok=True)
        entries = [{"promotion": {"number": n, "sha256": sha, "actor": note}} for n, sha in enumerate(digests, 1)]
        with zipfile.ZipFile(folder / "champion.zip", "w") as archive:
            archive.writestr("bundle.json", json.dumps({"model": "boston", "entries": entries}))
        model = {"mse": 9.5, "version": f"promotion-{len(digests):04d}", "uri": f"pvc://x/models/{digests[-1]}"}
        (folder / "deploy_details.json").write_text(json.dumps(EMPTY | {"prod_model": model, "verdict": "promote"}))
        return folder

    def test_at_first_there_is_nothing_to_recall(self, github: Path, tmp_path: Path) -> None:
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "champion.zip").exists()

    def test_what_was_kept_is_recalled_and_the_newest_of_all(self, github: Path, tmp_path: Path) -> None:
        digests: list[str] = []
        for number in range(1, 12):  # 11 comes after 2, though "11" comes before "2"
            digests.append(f"{number:064d}")
            assert self.release(github, "keep", self.decide(tmp_path / "evidence", *digests)).returncode == 0
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 0, done.stderr
        assert "boston-11.zip" in done.stderr
        assert (tmp_path / "champion.zip").read_bytes() == (github / "champion" / "boston-11.zip").read_bytes()
        recorded = json.loads((github / "deploy_details.json").read_text())
        assert recorded["prod_model"]["version"] == "promotion-0011"

    def test_to_keep_the_same_again_changes_nothing(self, github: Path, tmp_path: Path) -> None:
        folder = self.decide(tmp_path / "evidence", "a" * 64)
        assert self.release(github, "keep", folder).returncode == 0
        done = self.release(github, "keep", folder)
        assert done.returncode == 0, done.stderr
        assert "already" in done.stderr

    def test_another_history_of_the_same_length_is_refused(self, github: Path, tmp_path: Path) -> None:
        assert self.release(github, "keep", self.decide(tmp_path / "one", "a" * 64)).returncode == 0
        done = self.release(github, "keep", self.decide(tmp_path / "other", "b" * 64, note="another cluster"))
        assert done.returncode == 1
        assert "another history" in done.stderr

    def test_a_champion_without_a_bundle_is_an_error(self, github: Path, tmp_path: Path) -> None:
        assert self.release(github, "keep", self.decide(tmp_path / "evidence", "a" * 64)).returncode == 0
        shutil.rmtree(github / "champion")
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 1
        assert "promotion-0001 is in production, but the release has no bundle" in done.stderr

    def test_a_bundle_that_is_older_than_production_is_an_error(self, github: Path, tmp_path: Path) -> None:
        for digests in (["a" * 64], ["a" * 64, "b" * 64]):
            assert self.release(github, "keep", self.decide(tmp_path / "evidence", *digests)).returncode == 0
        (github / "champion" / "boston-2.zip").unlink()
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 1
        assert "has never heard of it" in done.stderr

    def test_github_that_does_not_answer_is_no_first_model(self, tmp_path: Path) -> None:
        path = _stand_in(tmp_path, "gh", "#!/bin/sh\necho 'connection refused' >&2\nexit 1\n")
        done = _run(sys.executable, "scripts/deploy/release.py", "recall", tmp_path / "champion.zip", PATH=path)
        assert done.returncode == 1
        assert "connection refused" in done.stderr


def test_the_kubeconfig_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    done = _run("scripts/deploy/kubeconfig", file, KUBECONFIG_CONTENT="apiVersion: v1")
    assert done.stdout == f"KUBECONFIG={file}\n"
    assert file.read_text() == "apiVersion: v1\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert _run("scripts/deploy/kubeconfig", file, KUBECONFIG_CONTENT="").returncode == 1
