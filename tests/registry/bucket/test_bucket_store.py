"""Packages and pointers in an object store, and the folders of servers that follow them."""

from pathlib import Path

import pytest
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import tiny

from api.serving.pointer_check import check_history
from promote.errors import SmokeFailed
from registry import Conflict, ModelStore, PackageError, Pointer, StoreError
from registry.bucket import Bucket, BucketReplica, BucketStore, open_bucket
from registry.package import ModelPackage
from registry.shadow import Shadow


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> BucketStore:
    return BucketStore(bucket, tmp_path / "promoter")


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return tiny(tmp_path / "trial")


@pytest.fixture
def replica(bucket: Bucket, tmp_path: Path) -> BucketReplica:
    return BucketReplica(BucketStore(bucket, tmp_path / "server"), interval=0)


def promote(store: ModelStore, package: ModelPackage, number: int = 1) -> Pointer:
    """Bring a package into production, as a promotion does after its gate."""
    store.add(package)
    store.pointer("toy")
    pointer = Pointer(model="toy", number=number, sha256=package.digest)
    store.point(pointer)
    return pointer


def test_another_machine_opens_what_was_promoted(
    store: BucketStore, package: ModelPackage, replica: BucketReplica
) -> None:
    pointer = promote(store, package)
    replica.refresh("toy")
    assert replica.pointer("toy") == pointer
    assert replica.open(package.digest).digest == package.digest
    assert replica.store.models() == ["toy"]


def test_a_promoter_moves_the_pointer_and_back(bucket: Bucket, tmp_path: Path) -> None:
    site = PromotionSite(tmp_path / "site")
    store = BucketStore(bucket, tmp_path / "promoter")
    server = BucketReplica(BucketStore(bucket, tmp_path / "server"), interval=0)
    a, b = (tiny(tmp_path / name, low=low) for name, low in (("a", 1.0), ("b", 3.0)))
    promoter = site.promoter(store=store)
    promoter.promote(a, promoting_verdict(a, None))
    promoter.promote(b, promoting_verdict(b, a))
    server.refresh("toy")
    assert server.pointer("toy") == store.pointer("toy")
    check_history(server, Pointer(model="toy", number=2, sha256=b.digest))
    site.smoke.passes = False
    with pytest.raises(SmokeFailed):
        promoter.promote(a, promoting_verdict(a, b))
    found = store.pointer("toy")
    assert found
    assert (found.number, found.sha256) == (2, b.digest)
    assert site.states() == ["live", "live", "reverted"]


def test_whoever_was_overtaken_moves_no_pointer_of_a_bucket(
    bucket: Bucket, package: ModelPackage, tmp_path: Path
) -> None:
    store = BucketStore(bucket, tmp_path / "promoter")
    pointer = promote(store, package)

    def overtaken() -> None:
        raise Conflict("taken over")

    fenced = store.fenced(overtaken)
    for act in (lambda: fenced.point(pointer.replace(number=2)), lambda: fenced.unpoint("toy")):
        with pytest.raises(Conflict):
            act()
    assert store.pointer(pointer.model) == pointer


def test_a_package_is_uploaded_once(
    store: BucketStore, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(package)
    monkeypatch.setattr(store.bucket, "write", lambda *_: pytest.fail("written again"))
    store.add(package)


def test_a_half_upload_is_no_package_and_is_completed(
    bucket: Bucket, store: BucketStore, package: ModelPackage, replica: BucketReplica
) -> None:
    bucket.create(f"models/{package.digest}/model.npz", b"half")
    with pytest.raises(PackageError, match="not in the bucket"):
        replica.store.open(package.digest)
    store.add(package)
    assert replica.store.open(package.digest).digest == package.digest


@pytest.mark.parametrize("name", ["manifest.json", "model.npz", "golden.json", "card.md"])
def test_a_file_that_was_changed_in_the_bucket_is_refused(
    bucket: Bucket, store: BucketStore, package: ModelPackage, replica: BucketReplica, name: str
) -> None:
    promote(store, package)
    bucket.write(f"models/{package.digest}/{name}", b"{}")
    with pytest.raises(PackageError):
        replica.refresh("toy")
    assert replica.pointer("toy") is None


def test_of_two_writers_that_read_the_same_pointer_one_moves_it(
    bucket: Bucket, store: BucketStore, package: ModelPackage, tmp_path: Path
) -> None:
    promote(store, package)
    other = BucketStore(bucket, tmp_path / "other")
    assert other.pointer("toy") == store.pointer("toy")
    other.point(Pointer(model="toy", number=2, sha256=package.digest))
    with pytest.raises(StoreError, match="another writer has moved it"):
        store.point(Pointer(model="toy", number=3, sha256=package.digest))
    found = store.pointer("toy")
    assert found
    assert found.number == 2


def test_of_two_first_writers_one_succeeds(
    bucket: Bucket, store: BucketStore, package: ModelPackage, tmp_path: Path
) -> None:
    other = BucketStore(bucket, tmp_path / "other")
    promote(other, package)
    with pytest.raises(StoreError, match="another writer has moved it"):
        store.point(Pointer(model="toy", number=2, sha256=package.digest))


def test_a_model_that_was_taken_out_is_gone_for_servers(
    store: BucketStore, package: ModelPackage, replica: BucketReplica
) -> None:
    promote(store, package)
    replica.refresh("toy")
    store.unpoint("toy")
    replica.refresh("toy")
    assert replica.pointer("toy") is None
    assert store.pointer("toy") is None
    assert store.models() == []
    promote(store, package, 2)
    replica.refresh("toy")
    assert replica.pointer("toy")


def test_a_shadow_comes_with_its_package(
    store: BucketStore, package: ModelPackage, replica: BucketReplica, tmp_path: Path
) -> None:
    promote(store, package)
    candidate = tiny(tmp_path / "candidate", low=7)
    store.add(candidate)
    store.set_shadow(Shadow(model="toy", sha256=candidate.digest, share=0.5))
    replica.refresh("toy")
    assert replica.shadow("toy") == store.shadow("toy")
    assert replica.open(candidate.digest).digest == candidate.digest
    store.clear_shadow("toy")
    replica.refresh("toy")
    assert replica.shadow("toy") is None


def test_a_bucket_that_does_not_answer_leaves_the_folder_as_it_was(
    store: BucketStore,
    package: ModelPackage,
    replica: BucketReplica,
    closed_bucket: Bucket,
) -> None:
    promote(store, package)
    replica.refresh("toy")
    replica.store.bucket = closed_bucket
    with pytest.raises(StoreError, match="check the object store's address"):
        replica.refresh("toy")
    assert replica.pointer("toy")
    assert replica.open(package.digest).digest == package.digest


def test_a_model_is_refreshed_once_an_interval(
    bucket: Bucket, store: BucketStore, package: ModelPackage, tmp_path: Path
) -> None:
    now = 0.0
    replica = BucketReplica(BucketStore(bucket, tmp_path / "server"), interval=2, clock=lambda: now)
    replica.refresh("toy")
    promote(store, package)
    replica.refresh("toy")
    assert replica.pointer("toy") is None
    now = 2.0
    replica.refresh("toy")
    assert replica.pointer("toy")


def test_an_object_that_is_too_large_is_not_read(bucket: Bucket) -> None:
    bucket.create("large", b"12345")
    with pytest.raises(StoreError, match="5 bytes, at most 4"):
        bucket.read("large", limit=4)


@pytest.mark.parametrize("url", ["s3://", "gs://", "nosuch://models/here", "nonsense"])
def test_a_url_of_no_object_store_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        open_bucket(url)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.bucket.addresses.find_spec", lambda _: None)
    with pytest.raises(StoreError, match=r"google\.cloud\.storage is not installed") as caught:
        open_bucket("gs://models")
    assert caught.value.hint == "pip install 'tunegate[bucket-gcs]'"
