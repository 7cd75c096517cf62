"""The release that keeps the champion between clusters, with a stand-in for `gh`."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.scripts import NO_CHAMPION, run, stand_in

# As much of `gh` as scripts/deploy/release.py uses; its state is a folder.
GH = f"""#!{sys.executable}
import base64, hashlib, json, os, pathlib, shutil, sys
words, home = sys.argv[1:], pathlib.Path(os.environ["FAKE_GITHUB"])
release, details = home / "champion", home / "deploy_details.json"
blob = lambda: hashlib.sha1(details.read_bytes()).hexdigest()
if words[0] == "api" and words[1].endswith("/releases"):
    if release.exists():
        assets = sorted(p.name for p in release.iterdir())
        print(json.dumps({{"tag_name": "champion", "assets": assets}}))
    print(json.dumps({{"tag_name": "v1", "assets": ["boston-99.zip"]}}))
elif "--method" in words:
    change = json.load(sys.stdin)
    assert change["sha"] == blob() and "[skip ci]" in change["message"]
    details.write_bytes(base64.b64decode(change["content"]))
elif words[0] == "api":
    print(json.dumps({{"content": base64.b64encode(details.read_bytes()).decode(), "sha": blob()}}))
elif words[1] == "download":
    name = words[words.index("--pattern") + 1]
    shutil.copyfile(release / name, words[words.index("--output") + 1])
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
        (home / "deploy_details.json").write_text(json.dumps(NO_CHAMPION))
        return home

    def release(self, github: Path, *words: object) -> "subprocess.CompletedProcess[str]":
        path = f"{github / 'bin'}{os.pathsep}{os.environ['PATH']}"
        if not (github / "bin").exists():
            path = stand_in(github, "gh", GH)
        return run(
            sys.executable, "scripts/deploy/release.py", *words, PATH=path, FAKE_GITHUB=str(github)
        )

    def decide(self, folder: Path, *digests: str, note: str = "", refused: int = 0) -> Path:
        """Write what scripts/deploy/fetch does, for a ledger of these packages."""
        challenges = [{"number": n, "actor": note} for n in range(1, refused + 1)]
        folder.mkdir(exist_ok=True)
        entries = [
            {"promotion": {"number": n, "sha256": sha, "actor": note}}
            for n, sha in enumerate(digests, 1)
        ]
        with zipfile.ZipFile(folder / "champion.zip", "w") as archive:
            index = {"model": "boston", "entries": entries, "challenges": challenges}
            archive.writestr("bundle.json", json.dumps(index))
        model = {
            "mse": 9.5,
            "version": f"promotion-{len(digests):04d}",
            "uri": f"pvc://x/models/{digests[-1]}",
        }
        (folder / "deploy_details.json").write_text(
            json.dumps(NO_CHAMPION | {"prod_model": model, "verdict": "promote"})
        )
        return folder

    def test_at_first_there_is_nothing_to_recall(self, github: Path, tmp_path: Path) -> None:
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "champion.zip").exists()

    def test_what_was_kept_is_recalled_and_the_newest_of_all(
        self, github: Path, tmp_path: Path
    ) -> None:
        digests: list[str] = []
        for number in range(1, 12):  # 11 comes after 2, though "11" comes before "2"
            digests.append(f"{number:064d}")
            assert (
                self.release(
                    github, "keep", self.decide(tmp_path / "evidence", *digests)
                ).returncode
                == 0
            )
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 0, done.stderr
        assert "boston-11.zip" in done.stderr
        assert (tmp_path / "champion.zip").read_bytes() == (
            github / "champion" / "boston-11.zip"
        ).read_bytes()
        recorded = json.loads((github / "deploy_details.json").read_text())
        assert recorded["prod_model"]["version"] == "promotion-0011"

    def test_to_keep_the_same_again_changes_nothing(self, github: Path, tmp_path: Path) -> None:
        folder = self.decide(tmp_path / "evidence", "a" * 64)
        assert self.release(github, "keep", folder).returncode == 0
        done = self.release(github, "keep", folder)
        assert done.returncode == 0, done.stderr
        assert "already" in done.stderr

    def test_a_ledger_with_more_challenges_is_kept_beside_and_recalled(
        self, github: Path, tmp_path: Path
    ) -> None:
        for refused in (0, 2, 11):
            folder = self.decide(tmp_path / "evidence", "a" * 64, refused=refused)
            done = self.release(github, "keep", folder)
            assert done.returncode == 0, done.stderr
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert "recalled boston-1-11.zip" in done.stderr
        assert (github / "champion" / "boston-1.zip").exists()
        fewer = self.decide(tmp_path / "fewer", "a" * 64, refused=3)
        done = self.release(github, "keep", fewer)
        assert done.returncode == 1
        assert "boston-1-11.zip in the release tells another history" in done.stderr

    def test_another_history_of_the_same_length_is_refused(
        self, github: Path, tmp_path: Path
    ) -> None:
        assert self.release(github, "keep", self.decide(tmp_path / "one", "a" * 64)).returncode == 0
        done = self.release(
            github, "keep", self.decide(tmp_path / "other", "b" * 64, note="another cluster")
        )
        assert done.returncode == 1
        assert "another history" in done.stderr

    def test_a_champion_without_a_bundle_is_an_error(self, github: Path, tmp_path: Path) -> None:
        assert (
            self.release(github, "keep", self.decide(tmp_path / "evidence", "a" * 64)).returncode
            == 0
        )
        shutil.rmtree(github / "champion")
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 1
        assert "promotion-0001 is in production, but the release has no bundle" in done.stderr

    def test_a_bundle_that_is_older_than_production_is_an_error(
        self, github: Path, tmp_path: Path
    ) -> None:
        for digests in (["a" * 64], ["a" * 64, "b" * 64]):
            assert (
                self.release(
                    github, "keep", self.decide(tmp_path / "evidence", *digests)
                ).returncode
                == 0
            )
        (github / "champion" / "boston-2.zip").unlink()
        done = self.release(github, "recall", tmp_path / "champion.zip")
        assert done.returncode == 1
        assert "has never heard of it" in done.stderr

    def test_github_that_does_not_answer_is_no_first_model(self, tmp_path: Path) -> None:
        path = stand_in(tmp_path, "gh", "#!/bin/sh\necho 'connection refused' >&2\nexit 1\n")
        done = run(
            sys.executable,
            "scripts/deploy/release.py",
            "recall",
            tmp_path / "champion.zip",
            PATH=path,
        )
        assert done.returncode == 1
        assert "connection refused" in done.stderr
