"""The deployment's scripts, with stand-ins for kubectl, docker and minikube."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import ROOT
from support.scripts import NO_CHAMPION, run, stand_in

# As much of a cluster as the scripts use; what runs in a pod is a case of the variable FAKE_POD.
KUBECTL = """#!/bin/sh
echo "$*" >> "$FAKE_KUBECTL"
case $* in
*" exec "*) eval "$FAKE_POD" ;;
kustomize*) echo "kind: List" ;;
esac
"""
# As much of `docker` as the scripts use: it logs its arguments, makes a cache's folder, and gives
# a pushed image a digest.
DOCKER = """#!/bin/sh
echo "$*" >> "$FAKE_DOCKER"
[ "$1" != inspect ] || echo "${4%:*}@sha256:$(printf %s "$4" | sha256sum | cut -c 1-64)"
for word in "$@"; do
    folder=${word#type=local,dest=}
    [ "$folder" = "$word" ] || { mkdir -p "${folder%%,*}" && touch "${folder%%,*}/index.json"; }
done
"""


# Of `cosign` and `gh`: they log what is verified, and fail for the image named in BAD.
VERIFIER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$FAKE_CALLS"
case "$(basename "$0") $*" in *"${BAD:-no image}"*) exit 1 ;; esac
"""


class TestApproval:
    """GitHub's approval of an environment reaches the promotion's Job."""

    ANSWER = (
        {"state": "rejected", "comment": "no", "user": {"login": "bob"}},
        {"state": "approved", "comment": 'looks "right"\nEVIL=1', "user": {"login": "ada"}},
    )

    @pytest.mark.parametrize(
        ("answer", "lines"),
        [
            (ANSWER, ["APPROVED_BY=ada", 'APPROVAL_REASON=looks "right" EVIL=1']),
            (ANSWER[:1], []),
            ((), []),
        ],
    )
    def test_who_approved_is_named_on_one_line_each(
        self, tmp_path: Path, answer: tuple[object, ...], lines: list[str]
    ) -> None:
        (tmp_path / "answer.json").write_text(json.dumps(answer))
        path = stand_in(tmp_path, "gh", '#!/bin/sh\ncat "$ANSWER"\n')
        words = (sys.executable, "scripts/deploy/approval.py", "name")
        done = run(*words, PATH=path, ANSWER=str(tmp_path / "answer.json"), RUN_ID="7")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == lines

    def test_the_job_is_told(self, tmp_path: Path) -> None:
        calls = tmp_path / "calls"
        path = stand_in(tmp_path, "kubectl", KUBECTL)
        for by in ("", "ada"):
            run("scripts/deploy/decide", PATH=path, FAKE_KUBECTL=str(calls), APPROVED_BY=by)
        patches = [line for line in calls.read_text().splitlines() if line.startswith("patch")]
        assert len(patches) == 1
        changes = json.loads(patches[0].partition("--patch=")[2])
        values = {each["value"]["name"]: each["value"]["value"] for each in changes}
        assert values == {"TUNEGATE_APPROVED_BY": "ada", "TUNEGATE_APPROVAL_REASON": ""}


class TestRender:
    def test_renames_the_images_where_it_is_told_to(self) -> None:
        file = "manifests/experiment.yaml"
        renamed = run(
            "scripts/deploy/render", file, IMAGE_PREFIX="example.org/me/", IMAGE_TAG="abc"
        )
        assert re.findall(r"image: (\S+)", renamed.stdout) == ["example.org/me/trainer:abc"]
        assert (
            run("scripts/deploy/render", file).stdout.rstrip() == (ROOT / file).read_text().rstrip()
        )

    def test_a_missing_overlay_is_an_error(self) -> None:
        assert run("scripts/deploy/render", "manifests/overlays/nowhere").returncode != 0


class TestAwait:
    CONDITIONS = ("condition=Complete", "condition=Failed")

    def test_the_first_condition_that_holds_ends_it(self, tmp_path: Path) -> None:
        waits = "#!/bin/sh\ncase $* in *Failed*) exit 0 ;; *) exec tail -f /dev/null ;; esac\n"
        path = stand_in(tmp_path, "kubectl", waits)
        done = run("scripts/deploy/await", "1m", "job/a", "--", *self.CONDITIONS, PATH=path)
        assert (done.returncode, done.stdout) == (0, "condition=Failed\n")

    def test_what_kubectl_says_comes_through(self, tmp_path: Path) -> None:
        path = stand_in(tmp_path, "kubectl", "#!/bin/sh\necho 'timed out waiting' >&2\nexit 1\n")
        done = run("scripts/deploy/await", "1s", "job/a", "--", *self.CONDITIONS, PATH=path)
        assert done.returncode == 1
        assert "timed out waiting" in done.stderr
        assert not done.stdout


class TestPipeline:
    def run(self, tmp_path: Path, pod: str, *words: object) -> "subprocess.CompletedProcess[str]":
        path = stand_in(tmp_path, "kubectl", KUBECTL)
        return run(
            *words,
            PATH=path,
            FAKE_KUBECTL=str(tmp_path / "calls"),
            FAKE_POD=f"case $* in {pod} esac",
        )

    def test_what_an_earlier_run_left_in_flight_is_settled_first(self, tmp_path: Path) -> None:
        """The server follows it, so verifying the champion would fail, and with it every run."""
        pod = '*"tunegate repair") echo "in flight" >&2; exit 21 ;;'
        done = self.run(
            tmp_path, pod, "scripts/deploy/pipeline", "manifests/overlays/ci", tmp_path / "evidence"
        )
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
        pod = (
            f"*history*) echo '{json.dumps(entries)}' ;; *\"rollback --to 1\"*) echo rolled back ;;"
        )
        done = self.run(tmp_path, pod, "scripts/deploy/undo", "1")
        assert done.returncode == code, done.stderr
        assert says in done.stdout + done.stderr


class TestImages:
    def run_with_docker(
        self, tmp_path: Path, *words: object, **variables: str
    ) -> tuple[str, list[str]]:
        """Run a script with a stand-in for docker.

        Returns its stdout, and the arguments of each call of docker.
        """
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        if not (tmp_path / "bin").exists():
            path = stand_in(tmp_path, "docker", DOCKER)
        done = run(*words, PATH=path, FAKE_DOCKER=str(tmp_path / "calls"), **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout, (tmp_path / "calls").read_text().splitlines()

    def test_all_go_into_one_archive(self, tmp_path: Path) -> None:
        _, calls = self.run_with_docker(tmp_path, "scripts/deploy/images", "images.tar")
        assert [line.split()[:3] for line in calls[:4]] == [
            ["build", "--target", "trainer"],
            ["build", "--target", "api"],
            ["build", "--target", "promote"],
            ["build", "--target", "suggestion"],
        ]
        assert re.fullmatch(
            r"save --output images.tar"
            r"( localhost/tunegate-(trainer|api|promote|suggestion):[\d.]+){4}",
            calls[4],
        )

    def test_layers_are_kept_and_used_the_next_time(self, tmp_path: Path) -> None:
        layers = tmp_path / "layers"
        for time in ("first", "second"):
            _, calls = self.run_with_docker(
                tmp_path, "scripts/deploy/images", "images.tar", LAYERS=str(layers)
            )
            builds = [line for line in calls if line.startswith("buildx build")][-4:]
            assert all(("--cache-from" in line) is (time == "second") for line in builds)
            assert all("--load" in line and line.endswith(" .") for line in builds)
            assert sorted(folder.name for folder in layers.iterdir()) == [
                "api",
                "promote",
                "suggestion",
                "trainer",
            ]

    def test_pushed_names_are_in_lower_case(self, tmp_path: Path) -> None:
        digests = tmp_path / "digests"
        words = ("scripts/deploy/push", "images.tar", "ghcr.io/Some/Project-", "abc", digests)
        prefix, calls = self.run_with_docker(tmp_path, *words)
        assert prefix == "ghcr.io/some/project-\n"
        assert [line for line in calls if line.startswith("push")] == [
            f"push ghcr.io/some/project-{role}:abc"
            for role in ("trainer", "api", "promote", "suggestion")
        ]
        written = [line.split("  ") for line in digests.read_text().splitlines()]
        assert [name for _, name in written] == [
            f"ghcr.io/some/project-{role}" for role in ("trainer", "api", "promote", "suggestion")
        ]
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest, _ in written)


class TestSupplyChain:
    def run_with_verifiers(
        self, tmp_path: Path, *words: object, **variables: str
    ) -> "tuple[subprocess.CompletedProcess[str], list[str]]":
        """Run a script on two images with stand-ins for cosign and gh; returns their calls."""
        digests = tmp_path / "digests"
        digests.write_text(f"{'1' * 64}  ghcr.io/me/it-trainer\n{'2' * 64}  ghcr.io/me/it-api\n")
        path = stand_in(tmp_path, "cosign", VERIFIER)
        shutil.copy(tmp_path / "bin" / "cosign", tmp_path / "bin" / "gh")
        calls = tmp_path / "calls"
        script, *others = words
        done = run(script, digests, *others, PATH=path, FAKE_CALLS=str(calls), **variables)
        return done, calls.read_text().splitlines()

    def test_each_image_is_signed_by_digest_with_what_it_is_made_of(self, tmp_path: Path) -> None:
        done, calls = self.run_with_verifiers(tmp_path, "scripts/deploy/sign", "sbom")
        assert done.returncode == 0, done.stderr
        assert [line.split()[1] for line in calls] == ["sign", "attest"] * 2
        assert "--predicate sbom/trainer.cdx.json" in calls[1]
        assert "--predicate sbom/serving.cdx.json" in calls[3]
        assert all(line.split()[-1].endswith(("1" * 64, "2" * 64)) for line in calls)

    def test_images_of_this_repositorys_workflow_are_accepted(self, tmp_path: Path) -> None:
        done, calls = self.run_with_verifiers(tmp_path, "scripts/deploy/check-images", "me/it")
        assert done.returncode == 0, done.stderr
        assert [" ".join(line.split()[:2]) for line in calls] == [
            "cosign verify",
            "cosign verify-attestation",
            "gh attestation",
        ] * 2
        identity = "https://github.com/me/it/.github/workflows/deploy.yml@refs/heads/main"
        assert all(identity in line for line in calls if line.startswith("cosign"))

    @pytest.mark.parametrize("bad", ["cosign verify ", "gh attestation", "2" * 64])
    def test_one_image_that_is_not_ours_ends_the_deployment(self, tmp_path: Path, bad: str) -> None:
        words = ("scripts/deploy/check-images", "me/it")
        done, _ = self.run_with_verifiers(tmp_path, *words, BAD=bad)
        assert done.returncode != 0

    def test_no_image_at_all_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "none").touch()
        done = run("scripts/deploy/check-images", tmp_path / "none", "me/it")
        assert (done.returncode, "names no image" in done.stderr) == (1, True)


class TestSummary:
    def test_shows_verdict_checks_and_production(self, tmp_path: Path) -> None:
        checks = [
            {"name": "key 1", "passed": False, "otherwise": "keep", "detail": "P < 0.9 | <b>"}
        ]
        model = {"mse": 9.5, "version": "promotion-0001", "uri": "pvc://x/models/1"}
        for name, document in (
            ("verdict", {"verdict": "keep", "reasons": ["no better"], "checks": checks}),
            ("details", NO_CHAMPION | {"prod_model": model}),
        ):
            (tmp_path / f"{name}.json").write_text(json.dumps(document))
        done = run(
            sys.executable,
            "scripts/deploy/summary.py",
            tmp_path / "verdict.json",
            tmp_path / "details.json",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("## keep: the champion stays\n")
        assert "| **keep** | key 1 | P &lt; 0.9 \\| &lt;b> |" in done.stdout
        assert "| in production | promotion-0001 | mse 9.5 | pvc://x/models/1 |" in done.stdout


def test_minikube_without_its_docker_loads_nothing_elsewhere(tmp_path: Path) -> None:
    text = "#!/bin/sh\ncase $1 in docker-env) exit 69 ;; load) echo loaded ;; esac\n"
    path = stand_in(tmp_path, "minikube", text)
    shutil.copy(tmp_path / "bin" / "minikube", tmp_path / "bin" / "docker")
    done = run("scripts/deploy/minikube", "images.tar", PATH=path)
    assert (done.returncode, done.stdout) == (69, "")


def test_the_kubeconfig_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    done = run("scripts/deploy/kubeconfig", file, KUBECONFIG_CONTENT="apiVersion: v1")
    assert done.stdout == f"KUBECONFIG={file}\n"
    assert file.read_text() == "apiVersion: v1\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("scripts/deploy/kubeconfig", file, KUBECONFIG_CONTENT="").returncode == 1
