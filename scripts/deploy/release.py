"""The champion between clusters that do not stay, in the GitHub release `champion`.

    python3 scripts/deploy/release.py recall BUNDLE   # download the newest bundle, if there is one
    python3 scripts/deploy/release.py keep FOLDER     # upload FOLDER/champion.zip, then commit
                                                      # deploy_details.json

The release's files are `<model>-<promotions>-<challenges>.zip`, by how many of each the ledger has,
without the last number where there are none; they are never replaced. Any mismatch is an error: if
a champion were forgotten, any model could be promoted as the "first". Needs `gh`, and
GH_REPO outside a clone.
"""

import base64
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent.parent
RELEASE = "champion"
DETAILS = "deploy_details.json"
NOTES = (
    "What is in production, for the next deployment: see docs/deploy.md. "
    "Never change or delete these files."
)


def recall_champion(bundle: Path) -> None:
    """Download the newest bundle; check that it knows the model that is in production.

    That is the model which deploy_details.json names.
    """
    recorded, _ = _recorded_details()
    wanted = recorded["prod_model"]
    newest = _newest_bundle()
    if newest is None:
        if wanted:
            _fail(
                f"{DETAILS} says that {wanted['version']} is in production, "
                "but the release has no bundle"
            )
        _say("nothing was promoted yet: the first model will be judged against baselines")
        return
    _download_file(newest, bundle)
    known = {entry["promotion"]["sha256"] for entry in _bundle_index(bundle)["entries"]}
    if wanted and Path(str(wanted["uri"])).name not in known:
        _fail(
            f"{DETAILS} says that {wanted['uri']} is in production, "
            f"but {newest} has never heard of it"
        )
    _say(f"recalled {newest}")


def keep_champion(folder: Path) -> None:
    """Add the bundle to the release, then commit deploy_details.json.

    `recall_champion` relies on this order.
    """
    bundle = folder / "champion.zip"
    index = _bundle_index(bundle)
    name = "-".join([index["model"], *map(str, _lengths(index))]) + ".zip"
    with TemporaryDirectory() as scratch:
        named = Path(scratch, name)
        newest = _newest_bundle(promotions=len(index["entries"]))
        if newest:
            _download_file(newest, named)
            if not _continues(index, _bundle_index(named)):
                _fail(
                    f"{newest} in the release tells another history: "
                    f"two clusters promote {index['model']}"
                )
        if newest == name:
            _say(f"{name} is in the release already")
        elif index["entries"]:
            shutil.copyfile(bundle, named)
            _add_bundle(named)
            _say(f"{name} added to the release")
    _commit_details(folder / DETAILS)


def _add_bundle(bundle: Path) -> None:
    if RELEASE in _files_by_release():
        _run_gh("release", "upload", RELEASE, str(bundle))
    else:
        _run_gh(
            "release",
            "create",
            RELEASE,
            str(bundle),
            "--title",
            "The champion",
            "--notes",
            NOTES,
            "--latest=false",
        )


def _commit_details(file: Path) -> None:
    """Commit through the API, so that no job needs a clone that may push.

    The API compares before it swaps.
    """
    decided = json.loads(file.read_text(encoding="utf-8"))
    recorded, blob = _recorded_details()
    if decided == recorded:
        _say(f"{DETAILS} says so already")
        return
    if decided.keys() != recorded.keys():
        _fail(f"{file} is no {DETAILS}: {sorted(decided.keys() ^ recorded.keys())}")
    change = {
        "message": f"Record the verdict: {decided['verdict']} [skip ci]",
        "content": base64.b64encode(file.read_bytes()).decode(),
        "sha": blob,
    }
    words = ("--method", "PUT", "--input", "-")
    _run_gh("api", f"repos/{{owner}}/{{repo}}/contents/{DETAILS}", *words, stdin=json.dumps(change))
    _say(f"{DETAILS} committed")


def _recorded_details() -> tuple[dict[str, Any], str]:
    """Return deploy_details.json as it is on the default branch now, and its blob's name."""
    answer = json.loads(_run_gh("api", f"repos/{{owner}}/{{repo}}/contents/{DETAILS}"))
    return json.loads(base64.b64decode(answer["content"])), answer["sha"]


def _release_files() -> list[str]:
    return _files_by_release().get(RELEASE, [])


def _files_by_release() -> dict[str, list[str]]:
    """Return each release's files.

    All releases are listed, because asking for a missing one looks the same as getting no answer.
    """
    words = ("--paginate", "--jq", ".[] | {tag_name, assets: [.assets[].name]}")
    listed = _run_gh("api", "repos/{owner}/{repo}/releases", *words)
    found = (json.loads(line) for line in listed.splitlines())
    return {release["tag_name"]: release["assets"] for release in found}


def _newest_bundle(promotions: int = 0) -> str | None:
    """Return the name of the longest ledger's bundle, or of the longest with so many promotions."""
    lengths = {name: _named_lengths(name) for name in _release_files()}
    names = [name for name, found in lengths.items() if found[0] and promotions in {0, found[0]}]
    return max(names, key=lengths.__getitem__, default=None)


def _named_lengths(name: str) -> tuple[int, int]:
    """Return how many promotions and challenges a bundle has by its name; none if it is none."""
    match = re.fullmatch(rf"{re.escape(_model_name())}-(\d+)(?:-(\d+))?\.zip", name)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def _lengths(index: dict[str, Any]) -> list[int]:
    """Return how many promotions a bundle has and, if there are any, how many challenges."""
    challenges = len(index.get("challenges", ()))
    return [len(index["entries"]), *([challenges] if challenges else [])]


def _continues(index: dict[str, Any], earlier: dict[str, Any]) -> bool:
    """Whether a bundle has an earlier one's promotions, and its challenges and perhaps more."""
    known = earlier.get("challenges", [])
    same = index["model"] == earlier["model"] and index["entries"] == earlier["entries"]
    return same and index.get("challenges", [])[: len(known)] == known


def _model_name() -> str:
    """Return the model's name, which all of the cluster's roles read there too."""
    settings = (ROOT / "manifests" / "base" / "settings.yaml").read_text(encoding="utf-8")
    return re.findall(r"^  TUNEGATE_MODEL: (\S+)", settings, re.MULTILINE)[0]


def _download_file(name: str, target: Path) -> None:
    _run_gh("release", "download", RELEASE, "--pattern", name, "--output", str(target), "--clobber")


def _bundle_index(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        return json.loads(archive.read("bundle.json"))


def _run_gh(*words: str, stdin: str = "") -> str:
    done = subprocess.run(["gh", *words], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _fail(f"gh {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _fail(sentence: str) -> None:
    sys.exit(f"release: {sentence}; see docs/deploy.md")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["recall", bundle]:
            recall_champion(Path(bundle))
        case ["keep", folder]:
            keep_champion(Path(folder))
        case _:
            sys.exit(__doc__)
