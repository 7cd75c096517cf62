"""Where a container's paths lie on this machine."""

from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import make_experiment

from katib.local.job_template import Launch, PathMap, plan_launch, render_job

VOLUMES = [
    {"name": "models", "persistentVolumeClaim": {"claimName": "tunegate-models"}},
    {"name": "scratch", "emptyDir": {}},
    {"name": "host", "hostPath": {"path": "/srv"}},
]


def plan_with_mounts(
    folder: Path, mounts: dict[str, Any], *command: str, paths: dict[str, Path] | None = None
) -> Launch:
    """Launch with mounts of the form path -> volume, or path -> (volume, subPath)."""
    pairs = {
        path: (volume, "") if isinstance(volume, str) else volume for path, volume in mounts.items()
    }
    entries = [
        {"name": name, "mountPath": path, **({"subPath": sub} if sub else {})}
        for path, (name, sub) in pairs.items()
    ]
    env = [{"name": "WHERE", "value": "in:/models/x"}]
    container = {"volumeMounts": entries, "workingDir": "/models/work", "env": env}
    what = make_experiment(*command, container=container, pod={"volumes": VOLUMES})
    job = render_job(what, {"x": "0.5"}, "tiny-1")
    return plan_launch(what, job, PathMap(folder / "state", mounts=paths or {}), folder / "trial")


def relocated_word(folder: Path, text: str, mounts: dict[str, Any], **paths: Path) -> str:
    return plan_with_mounts(folder, mounts, "run", text, paths=paths).argv[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/models/a", "{0}/a"),  # as written: no shell reads it
        ("--data='x y' --output=/models/a", "--data='x y' --output={0}/a"),  # quotes of its own
        ("--output=/models/a --note=$HOME", "--output='{0}'/a --note=$HOME"),
    ],
)
def test_a_folder_with_a_space_is_quoted_where_a_shell_reads_it(
    tmp_path: Path, text: str, expected: str
) -> None:
    folder = tmp_path / "my models"
    word = relocated_word(tmp_path, text, {"/models": "models"}, models=folder)
    assert word == expected.format(folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/models", "{0}"),
        ("/models/a/b.txt", "{0}/a/b.txt"),
        ("--output=/models/trials", "--output={0}/trials"),
        ("'/models':/models/x", "'{0}':{0}/x"),
        ("/modelsx", "/modelsx"),
        ("/models.bak", "/models.bak"),
        ("/models-old/a", "/models-old/a"),
        ("/other/models/a", "/other/models/a"),
        ("s3://models/a", "s3://models/a"),
        ("./models", "./models"),
    ],
)
def test_a_mount_path_is_replaced_only_where_it_stands_as_a_path(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert relocated_word(tmp_path, text, {"/models": "models"}) == expected.format(
        tmp_path / "state/tunegate-models"
    )


def test_the_longest_mount_path_wins(tmp_path: Path) -> None:
    mounts = {"/models": "models", "/models/cache": "scratch"}
    text = relocated_word(tmp_path, "/models/cache/a /models/a", mounts)
    assert text == f"{tmp_path}/trial/volumes/scratch/a {tmp_path}/state/tunegate-models/a"


def test_a_folder_below_another_mounts_path_is_not_moved_again(tmp_path: Path) -> None:
    top = "/" + tmp_path.parts[1]  # such as /tmp, a common place for an emptyDir
    text = relocated_word(
        tmp_path, f"/models/a {top}/b", {"/models": "models", top: "scratch"}, models=tmp_path / "m"
    )
    assert text == f"{tmp_path}/m/a {tmp_path}/trial/volumes/scratch/b"


@pytest.mark.parametrize("name", ["tunegate-models", "models", "/models"])
def test_a_place_is_named_by_claim_volume_or_path(tmp_path: Path, name: str) -> None:
    found = plan_with_mounts(
        tmp_path, {"/models/": "models"}, "run", "/models/a", paths={name: tmp_path / "store"}
    )
    assert found.argv[1] == str(tmp_path / "store/a")


def test_an_unnamed_claim_lies_below_the_state_and_an_empty_dir_below_the_trial(
    tmp_path: Path,
) -> None:
    found = plan_with_mounts(
        tmp_path, {"/models": "models", "/scratch": "scratch", "/host": "host"}, "run"
    )
    expected = ("state/tunegate-models", "trial/volumes/scratch", "state/host")
    assert found.folders == tuple(tmp_path / path for path in expected)


def test_a_sub_path_is_a_folder_of_the_volume(tmp_path: Path) -> None:
    mounts = {"/a": ("models", "one"), "/b": ("models", "two/three")}
    assert (
        relocated_word(tmp_path, "/a /b/c", mounts, models=tmp_path)
        == f"{tmp_path}/one {tmp_path}/two/three/c"
    )


def test_environment_and_working_directory_are_moved_too(tmp_path: Path) -> None:
    found = plan_with_mounts(tmp_path, {"/models": "models"}, "run")
    root = tmp_path / "state/tunegate-models"
    assert found.env["WHERE"] == f"in:{root}/x"
    assert found.cwd == root / "work"


def test_a_file_collectors_folder_lies_below_the_trial(tmp_path: Path) -> None:
    collector = {
        "collector": {"kind": "File"},
        "source": {"fileSystemPath": {"path": "/out/m.log"}},
    }
    what = make_experiment("run", "--log=/out/m.log", "/out/more", metricsCollectorSpec=collector)
    found = plan_launch(
        what, render_job(what, {"x": "1"}, "t"), PathMap(tmp_path), tmp_path / "trial"
    )
    assert found.metrics_file == tmp_path / "trial/metrics/m.log"
    assert found.argv[1:] == (f"--log={found.metrics_file}", f"{tmp_path}/trial/metrics/more")
    assert (
        plan_launch(
            make_experiment("run"), render_job(what, {"x": "1"}, "t"), PathMap(tmp_path), tmp_path
        ).metrics_file
        is None
    )


def test_a_folder_with_backslashes_is_taken_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / r"a\1\g<0>"
    assert relocated_word(tmp_path, "/models/b", {"/models": "models"}, models=odd) == str(
        odd / "b"
    )
