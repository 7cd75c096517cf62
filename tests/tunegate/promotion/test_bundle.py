"""A bundle carries what is in production to another store and ledger, whole or not at all."""

import io
import json
import shutil
import subprocess
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import ROOT, environment, tunegate
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.ledgers import challenge
from support.registry.package_variants import tiny, with_onnx

from katib.local.run_folder import STATUS, TRIALS, new_run, runs
from promote.errors import PromoteError
from registry import Conflict, Outcome, Promotion
from registry.errors import PackageError
from registry.ledger import next_number
from registry.package import ModelPackage
from registry.sqlite import SqliteLedger
from tunegate.errors import UsageError
from tunegate.promotion.bundle import INDEX, export_bundle, import_bundle
from tunegate.settings import Settings
from tunegate.workspace import Workspace


def workspace(root: Path) -> Workspace:
    return Workspace(
        Settings(model="toy", state=root, store=root / "store", ledger=str(root / "ledger.db"))
    )


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> list[ModelPackage]:
    folder = tmp_path_factory.mktemp("toys")
    return [
        tiny(folder / f"toy-{name}", low=low) for name, low in (("a", 1.0), ("b", 3.0), ("c", 5.0))
    ]


@pytest.fixture
def there(tmp_path: Path, toys: list[ModelPackage]) -> PromotionSite:
    """A, then B, then C reverted, then back to A."""
    site = PromotionSite(tmp_path / "there")
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))
    site.promoter().promote(b, promoting_verdict(b, a))
    site.promoter().rollback("toy")
    return site


@pytest.fixture
def content(there: PromotionSite) -> bytes:
    return export_bundle(workspace(there.root))


def changed(content: bytes, name: str, replacement: bytes | None) -> bytes:
    """Return the archive with one file replaced, or left out."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        for item in old.namelist():
            if item.endswith(name):
                if replacement is not None:
                    new.writestr(item, replacement)
            else:
                new.writestr(item, old.read(item))
    return written.getvalue()


def test_what_was_exported_is_in_production_where_it_is_imported(
    there: PromotionSite, content: bytes, toys: list[ModelPackage], tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    import_bundle(workspace(here.root), content)
    assert here.ledger.history("toy") == there.ledger.history("toy")
    here.assert_settled(toys[0])


def test_a_second_import_changes_nothing(
    there: PromotionSite, content: bytes, tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    import_bundle(workspace(here.root), content)
    assert import_bundle(workspace(here.root), content) == ["0 of 3 ledger entries added"]
    assert here.ledger.history("toy") == there.ledger.history("toy")


def test_an_import_brings_back_a_lost_volume_to_the_ledger_that_was_kept(
    there: PromotionSite, content: bytes, toys: list[ModelPackage]
) -> None:
    history = there.ledger.history("toy")
    shutil.rmtree(there.store.root)
    import_bundle(workspace(there.root), content)
    assert there.ledger.history("toy") == history
    there.assert_settled(toys[0])
    assert there.store.open(toys[0].digest).digest == toys[0].digest


def test_after_a_lost_volume_another_environment_begins_a_ledger_of_its_own(
    there: PromotionSite, toys: list[ModelPackage], tmp_path: Path
) -> None:
    """In a registry; in a folder, another ledger's file is the same."""
    shutil.rmtree(there.store.root)
    there.ledger = SqliteLedger(tmp_path / "second.db")
    there.promoter().promote(toys[2], promoting_verdict(toys[2], None))
    there.assert_settled(toys[2])


def test_challenges_travel_with_the_bundle_and_later_ones_stay(
    there: PromotionSite, tmp_path: Path
) -> None:
    refusals = [challenge(number, model="toy") for number in (1, 2, 3)]
    for refusal in refusals[:2]:
        there.ledger.record(refusal)
    content = export_bundle(workspace(there.root))
    here = PromotionSite(tmp_path / "here")
    import_bundle(workspace(here.root), content)
    assert list(here.ledger.challenges("toy")) == refusals[:2]
    here.ledger.record(refusals[2])
    import_bundle(workspace(here.root), content)
    assert list(here.ledger.challenges("toy")) == refusals


@pytest.mark.parametrize(
    "change", [{"number": 2}, {"model": "iris"}, {"decision": "promote"}, {"reasons": ["other"]}]
)
def test_a_challenge_that_was_changed_in_a_bundle_is_refused(
    there: PromotionSite, tmp_path: Path, change: dict[str, object]
) -> None:
    there.ledger.record(challenge(1, model="toy"))
    content = export_bundle(workspace(there.root))
    index = json.loads(zipfile.ZipFile(io.BytesIO(content)).read(INDEX))
    index["challenges"][0] |= change
    here = workspace(tmp_path / "here")
    with pytest.raises(UsageError, match="challenges"):
        import_bundle(here, changed(content, INDEX, json.dumps(index).encode()))
    assert list(here.ledger.challenges("toy")) == []


def test_a_ledger_with_other_challenges_is_left_alone(there: PromotionSite, tmp_path: Path) -> None:
    there.ledger.record(challenge(1, model="toy"))
    content = export_bundle(workspace(there.root))
    here = PromotionSite(tmp_path / "here")
    here.ledger.record(challenge(1, model="toy", actor="another"))
    with pytest.raises(Conflict, match="challenges of its own"):
        import_bundle(workspace(here.root), content)
    assert here.states() == []


def test_an_import_that_was_interrupted_goes_on(
    there: PromotionSite, content: bytes, tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    first = there.ledger.history("toy")[0]
    here.ledger.create(first.promotion)
    assert first.outcome
    here.ledger.close("toy", 1, first.outcome)
    assert import_bundle(workspace(here.root), content)[0] == "2 of 3 ledger entries added"
    assert here.ledger.history("toy") == there.ledger.history("toy")


def test_an_import_that_was_killed_amid_an_entry_goes_on(
    there: PromotionSite, content: bytes, tmp_path: Path
) -> None:
    """The entry is in flight then, and only its outcome is missing."""
    here = PromotionSite(tmp_path / "here")
    here.ledger.create(there.ledger.history("toy")[0].promotion)
    assert import_bundle(workspace(here.root), content)[0] == "3 of 3 ledger entries added"
    assert here.ledger.history("toy") == there.ledger.history("toy")


def test_somebody_elses_promotion_in_flight_is_left_alone(
    content: bytes, toys: list[ModelPackage], there: PromotionSite, tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    here.ledger.create(there.ledger.history("toy")[0].promotion.replace(sha256=toys[2].digest))
    with pytest.raises(Conflict, match="history of its own"):
        import_bundle(workspace(here.root), content)
    assert here.states() == ["in flight"]


def test_promotion_goes_on_with_the_next_number(
    content: bytes, toys: list[ModelPackage], tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    import_bundle(workspace(here.root), content)
    assert next_number(here.ledger.history("toy")) == 4
    here.promoter().promote(toys[2], promoting_verdict(toys[2], toys[0]))
    here.assert_settled(toys[2])


def test_the_package_before_comes_along_for_a_rollback(
    content: bytes, toys: list[ModelPackage], tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    import_bundle(workspace(here.root), content)
    here.promoter().rollback("toy")
    here.assert_settled(toys[1])


def test_a_ledger_with_a_history_of_its_own_is_left_alone(
    content: bytes, toys: list[ModelPackage], tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    here.promoter().promote(toys[2], promoting_verdict(toys[2], None))
    before = here.ledger.history("toy")
    with pytest.raises(Conflict, match="history of its own"):
        import_bundle(workspace(here.root), content)
    assert here.ledger.history("toy") == before
    here.assert_settled(toys[2])


@pytest.fixture
def with_copy(tmp_path: Path, toys: list[ModelPackage]) -> bytes:
    """Return a bundle of a package that has a copy for other servers."""
    package = with_onnx(toys[0], tmp_path / "with copy", b"a copy")
    site = PromotionSite(tmp_path / "copying")
    site.promoter().promote(package, promoting_verdict(package, None))
    return export_bundle(workspace(site.root))


def test_a_copy_for_other_servers_comes_along(with_copy: bytes, tmp_path: Path) -> None:
    here = PromotionSite(tmp_path / "here")
    import_bundle(workspace(here.root), with_copy)
    (copy,) = here.root.glob("store/models/*/model.onnx")
    assert copy.read_bytes() == b"a copy"


@pytest.mark.parametrize("replacement", [b"forged", None])
def test_a_copy_that_was_forged_or_left_out_is_refused(
    with_copy: bytes, replacement: bytes | None, tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    with pytest.raises(PackageError, match=r"model\.onnx"):
        import_bundle(workspace(here.root), changed(with_copy, "model.onnx", replacement))
    here.assert_settled(None)


@pytest.mark.parametrize("name", ["model.npz", "manifest.json", "golden.json", "card.md"])
def test_a_forged_package_is_refused_before_the_ledger_is_touched(
    content: bytes, name: str, tmp_path: Path
) -> None:
    here = PromotionSite(tmp_path / "here")
    with pytest.raises(PackageError):
        import_bundle(workspace(here.root), changed(content, name, b"forged"))
    here.assert_settled(None)


@pytest.mark.parametrize("name", [INDEX, "model.npz"])
def test_a_bundle_that_lacks_a_file_is_refused(content: bytes, name: str, tmp_path: Path) -> None:
    here = PromotionSite(tmp_path / "here")
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(here.root), changed(content, name, None))
    here.assert_settled(None)


@pytest.mark.parametrize("garbage", [b"", b"PK", b"not a zip", b'{"format": 1}'])
def test_what_is_no_archive_is_refused(garbage: bytes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(tmp_path), garbage)


@pytest.mark.parametrize("size", [100, 1000, 3000])
def test_a_truncated_bundle_is_refused(content: bytes, size: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(tmp_path), content[:size])


@pytest.mark.parametrize(
    "index", [b"{}", b"[]", b'{"format":"tunegate-bundle/2","model":"toy","entries":[]}']
)
def test_an_index_of_another_form_is_refused(content: bytes, index: bytes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(tmp_path), changed(content, INDEX, index))


def without_outcome(entries: list[Any]) -> None:
    entries[-1]["outcome"] = None


def of_another_model(entries: list[Any]) -> None:
    entries[0]["promotion"]["model"] = "wine"


def with_a_gap(entries: list[Any]) -> None:
    del entries[1]


def with_another_predecessor(entries: list[Any]) -> None:
    entries[1]["promotion"]["previous"] = 77


def with_another_package(entries: list[Any]) -> None:
    entries[1]["promotion"]["sha256"] = entries[0]["promotion"]["sha256"]


@pytest.mark.parametrize(
    "forge",
    [
        without_outcome,
        of_another_model,
        with_a_gap,
        with_another_predecessor,
        with_another_package,
    ],
)
def test_entries_that_no_export_writes_are_refused_before_anything_is_written(
    content: bytes, forge: Callable[[list[Any]], None], tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        index = json.loads(archive.read(INDEX))
    forge(index["entries"])
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(tmp_path), changed(content, INDEX, json.dumps(index).encode()))
    assert [PromotionSite(tmp_path).ledger.history(name) for name in ("toy", "wine")] == [[], []]


def test_a_bundle_without_digests_is_read(content: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        index = json.loads(archive.read(INDEX))
    del index["digests"]
    import_bundle(workspace(tmp_path), changed(content, INDEX, json.dumps(index).encode()))
    assert PromotionSite(tmp_path).ledger.chain("toy").begins == 1


@pytest.mark.parametrize("name", [INDEX, "golden.json", "model.npz"])
def test_a_file_that_is_far_larger_than_it_looks_is_refused_and_not_read_whole(
    content: bytes, name: str, tmp_path: Path
) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        names = [each for each in old.namelist() if not each.endswith(name)]
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
            for each in names:
                new.writestr(each, old.read(each))
            inside = next(each for each in old.namelist() if each.endswith(name))
            new.writestr(inside, b" " * (3 << 20))
    tracemalloc.start()
    with pytest.raises(UsageError, match=rf"{name} is larger than 1048576 bytes"):
        import_bundle(workspace(tmp_path), written.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20


def test_a_package_of_another_model_is_refused_before_the_ledger_is_touched(tmp_path: Path) -> None:
    """No server would take it, and the ledger would say that it is in production."""
    there = PromotionSite(tmp_path / "there")
    here = PromotionSite(tmp_path / "here")
    other = tiny(tmp_path / "other", name="wine")
    there.store.add(other)
    entry = Promotion(model="toy", number=1, sha256=other.digest, created_at=there.clock.now)
    there.ledger.create(entry)
    there.ledger.close("toy", 1, Outcome(result="live", closed_at=there.clock.now))
    with pytest.raises(UsageError, match="a package of wine"):
        import_bundle(workspace(here.root), export_bundle(workspace(there.root)))
    here.assert_settled(None)


@pytest.mark.parametrize("damage", ["stream", "encrypted", "method"])
def test_a_damaged_archive_is_refused(damage: str, tmp_path: Path) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(INDEX, b"x" * 1000)
    raw = bytearray(written.getvalue())
    central = raw.index(b"PK\x01\x02")
    if damage == "stream":
        start = 30 + len(INDEX)
        raw[start : start + 4] = b"\xff" * 4
    elif damage == "encrypted":
        raw[6] |= 1
        raw[central + 8] |= 1
    else:
        raw[8] = raw[central + 10] = 99
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(tmp_path), bytes(raw))


def with_run(root: Path, package: ModelPackage) -> Workspace:
    """Return a workspace with a verdict and a run of one Experiment, as a decision leaves them."""
    found = workspace(root)
    found.save_verdict(promoting_verdict(package, None))
    folder = new_run(found.experiments, "forest")
    (folder / STATUS).write_text('{"metadata": {"name": "forest"}}')
    (folder / TRIALS).write_text('{"items": []}')
    return found


def test_verdict_and_run_come_along_though_nothing_was_ever_promoted(
    toys: list[ModelPackage], tmp_path: Path
) -> None:
    """A first model that was refused has a report too."""
    content = export_bundle(with_run(tmp_path / "there", toys[0]))
    here = workspace(tmp_path / "here")
    for _ in range(2):
        import_bundle(here, content)
    assert here.latest_verdict() == promoting_verdict(toys[0], None)
    assert len(runs(here.experiments, "forest")) == 1
    assert here.trials(here.last_run()) == []


@pytest.mark.skipif(
    not (ROOT / ".venv" / "bin" / "tunegate").exists(), reason="the script runs what `setup` made"
)
def test_the_script_that_reports_takes_the_bundle_of_any_model(
    toys: list[ModelPackage], tmp_path: Path
) -> None:
    there = with_run(tmp_path / "there", toys[0])
    document = yaml.safe_load((ROOT / "manifests" / "experiment.yaml").read_text())
    (there.last_run() / STATUS).write_text(json.dumps(document))
    (tmp_path / "toy.zip").write_bytes(export_bundle(there))
    words = [str(ROOT / "scripts" / "deploy" / "report"), "toy.zip", "report.html"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "boston-forest: promote" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "forged", [b"{", b"[]", b'{"metadata": {}}', b'{"metadata": {"name": "../../evil"}}']
)
def test_evidence_that_makes_no_sense_is_refused_before_the_ledger_is_touched(
    there: PromotionSite, toys: list[ModelPackage], forged: bytes, tmp_path: Path
) -> None:
    with_run(there.root, toys[0])
    content = changed(export_bundle(workspace(there.root)), "experiment.json", forged)
    with pytest.raises(UsageError, match="not a bundle"):
        import_bundle(workspace(tmp_path / "here"), content)
    PromotionSite(tmp_path / "here").assert_settled(None)


def test_a_bundle_of_another_model_is_refused(content: bytes, tmp_path: Path) -> None:
    other = Workspace(Settings(model="wine", state=tmp_path, store=tmp_path / "store"))
    with pytest.raises(UsageError, match="of toy, not of wine"):
        import_bundle(other, content)


def test_a_run_cannot_name_a_folder_outside(content: bytes, tmp_path: Path) -> None:
    written = io.BytesIO(content)
    with zipfile.ZipFile(written, "a") as archive:
        archive.writestr("experiment.json", '{"metadata": {"name": "../../evil"}}')
        archive.writestr("trials.json", '{"items": []}')
    with pytest.raises(UsageError, match="evil"):
        import_bundle(workspace(tmp_path / "deep" / "here"), written.getvalue())
    assert not list(tmp_path.rglob("*evil*"))


def test_a_promotion_in_flight_is_not_exported(
    there: PromotionSite, toys: list[ModelPackage]
) -> None:
    newest = there.ledger.history("toy")[-1].promotion
    there.ledger.create(newest.replace(number=4, sha256=toys[2].digest))
    with pytest.raises(PromoteError, match="in flight"):
        export_bundle(workspace(there.root))


def test_nothing_in_production_can_be_carried_too(tmp_path: Path) -> None:
    content = export_bundle(workspace(tmp_path / "there"))
    import_bundle(workspace(tmp_path / "here"), content)
    PromotionSite(tmp_path / "here").assert_settled(None)


def test_the_commands_pass_a_bundle_through_a_pipe(
    there: PromotionSite, toys: list[ModelPackage], tmp_path: Path
) -> None:
    def places(root: Path) -> list[str]:
        return [
            f"--state={root}",
            f"--store={root / 'store'}",
            f"--ledger={root / 'ledger.db'}",
            "--model=toy",
        ]

    exported = tunegate("export", str(tmp_path / "toy.zip"), *places(there.root))
    assert exported.returncode == 0, exported.stderr
    imported = tunegate("import", str(tmp_path / "toy.zip"), "--json", *places(tmp_path / "here"))
    assert imported.returncode == 0, imported.stderr
    assert "3 of 3 ledger entries added" in imported.stdout
    PromotionSite(tmp_path / "here").assert_settled(toys[0])
    missing = tunegate("import", str(tmp_path / "nothing.zip"), *places(tmp_path / "here"))
    assert missing.returncode == 2
    assert "nothing.zip" in missing.stderr
