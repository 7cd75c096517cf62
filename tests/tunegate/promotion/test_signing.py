"""Signed packages: real keys and the real library, from promotion to server and bundle."""

import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.cli import ROOT
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import tiny

from api import Follower, Slot
from registry import ModelStore
from registry.bucket import BucketReplica, BucketStore, open_bucket
from registry.errors import PackageError, StoreError
from registry.package import ModelPackage
from registry.package.signing import KEYLESS, Signing
from tunegate.promotion.bundle import export_bundle, import_bundle
from tunegate.settings import Settings
from tunegate.workspace import Workspace

PEER = ROOT / ".peers" / "signing"
KEYLESS_SIGNER = "https://issuer.example#someone@example.org"


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the peer's packages importable, after our own."""
    if not (PEER / ".lock").exists():
        pytest.skip("run scripts/peers signing")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    monkeypatch.setattr(sys, "path", [*sys.path, str(PEER / "lib" / version / "site-packages")])


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> list[ModelPackage]:
    folder = tmp_path_factory.mktemp("toys")
    return [tiny(folder / "a", low=1.0), tiny(folder / "b", low=3.0)]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Two pairs of keys, as openssl makes them: ours and another."""
    made = {}
    for name in ("ours", "other"):
        private, public = tmp_path / f"{name}.key", tmp_path / f"{name}.pub"
        for command in (
            f"ecparam -name prime256v1 -genkey -noout -out {private}",
            f"ec -in {private} -pubout -out {public}",
        ):
            subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
        made[name], made[f"{name}.pub"] = str(private), str(public)
    return made


@pytest.fixture
def signed(tmp_path: Path, toys: list[ModelPackage], keys: dict[str, str]) -> PromotionSite:
    """A package in production, signed with our key."""
    site = PromotionSite(tmp_path / "site")
    site.store.signing = Signing(key=keys["ours"], signers=(keys["ours.pub"],))
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    return site


def served(site: PromotionSite, *signers: str) -> Slot:
    """Return what a server of the store serves that asks for these signers."""
    slot = Slot()
    Follower(ModelStore(site.store.root, Signing(signers=signers)), "toy", slot).look()
    return slot


def test_promotion_signs_and_the_ledger_keeps_the_signer(
    signed: PromotionSite, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    promotion = signed.ledger.history("toy")[-1].promotion
    der = subprocess.run(
        ["openssl", "ec", "-pubin", "-in", keys["ours.pub"], "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    digest = subprocess.run(["sha256sum"], input=der, check=True, capture_output=True).stdout
    assert promotion.signer == f"sha256:{digest.decode().split()[0]}"
    assert promotion.sha256 == toys[0].digest
    assert (signed.store.model(toys[0].digest) / "model.sig").exists()
    signed.assert_settled(toys[0])


def test_the_library_itself_verifies_the_folder(
    signed: PromotionSite, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    verifying = pytest.importorskip("model_signing.verifying")
    folder = signed.store.model(toys[0].digest)
    config = verifying.Config().use_elliptic_key_verifier(public_key=keys["ours.pub"])
    config.verify(folder, folder / "model.sig")


def test_a_server_serves_what_is_signed_by_one_of_its_signers(
    signed: PromotionSite, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    slot = served(signed, keys["other.pub"], keys["ours.pub"])
    assert slot.served
    assert slot.served.package.digest == toys[0].digest


def test_a_server_refuses_another_key(signed: PromotionSite, keys: dict[str, str]) -> None:
    slot = served(signed, keys["other.pub"])
    assert slot.served is None
    assert "not the signature of an accepted signer" in slot.refused


def test_a_server_refuses_a_package_without_a_signature(
    signed: PromotionSite, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    (signed.store.model(toys[0].digest) / "model.sig").unlink()
    slot = served(signed, keys["ours.pub"])
    assert slot.served is None
    assert "model.sig: No such file" in slot.refused
    assert served(signed).served  # a server that asks for none


@pytest.mark.parametrize("forged", ["flipped", "another package's", "not JSON", "a link"])
def test_a_server_refuses_a_forged_signature(
    signed: PromotionSite, toys: list[ModelPackage], keys: dict[str, str], forged: str
) -> None:
    signature = signed.store.model(toys[0].digest) / "model.sig"
    text = signature.read_bytes()
    if forged == "flipped":  # a bit of what was signed
        place = text.index(b'"payload"') + 40
        signature.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    elif forged == "another package's":
        signed.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
        shutil.copy(signature, signed.store.model(toys[1].digest) / "model.sig")
    elif forged == "not JSON":
        signature.write_bytes(b"[" * 100_000)
    else:
        signature.rename(signed.root / "kept")
        signature.symlink_to(signed.root / "kept")
    slot = served(signed, keys["ours.pub"])
    assert slot.served is None
    assert "model.sig" in slot.refused


def test_what_servers_would_refuse_is_not_promoted(
    tmp_path: Path, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    site = PromotionSite(tmp_path / "site")
    for key in ("", keys["other"]):
        site.store.signing = Signing(key=key, signers=(keys["ours.pub"],))
        with pytest.raises(PackageError, match=r"model\.sig"):
            site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    assert not site.ledger.history("toy")
    site.assert_settled(None)


def test_a_rollback_keeps_the_signer_and_asks_for_the_signature(
    signed: PromotionSite, toys: list[ModelPackage]
) -> None:
    signed.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    first = signed.ledger.history("toy")[0].promotion
    assert signed.promoter().rollback("toy").promotion.signer == first.signer
    (signed.store.model(toys[1].digest) / "model.sig").unlink()
    with pytest.raises(PackageError, match=r"model\.sig"):
        signed.promoter().rollback("toy", to=2)
    signed.assert_settled(toys[0])


def test_a_bundle_keeps_the_signature_and_an_import_asks_for_it(
    signed: PromotionSite, tmp_path: Path, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    def workspace(root: Path, *signers: str) -> Workspace:
        fields = {"store": str(root / "store"), "signing": Signing(signers=signers)}
        return Workspace(Settings(model="toy", state=root, **fields))

    content = export_bundle(workspace(signed.root))
    there = workspace(tmp_path / "there", keys["ours.pub"])
    import_bundle(there, content)
    assert there.ledger.history("toy") == signed.ledger.history("toy")
    assert isinstance(there.champion_package(), ModelPackage)
    (signed.store.model(toys[0].digest) / "model.sig").unlink()
    elsewhere = workspace(tmp_path / "elsewhere", keys["ours.pub"])
    with pytest.raises(PackageError, match=r"model\.sig"):
        import_bundle(elsewhere, export_bundle(workspace(signed.root)))
    assert not elsewhere.ledger.history("toy")


def test_a_bucket_keeps_the_signature(
    tmp_path: Path, toys: list[ModelPackage], keys: dict[str, str]
) -> None:
    bucket = open_bucket("memory:///models")
    ours = BucketStore(bucket, tmp_path / "ours", Signing(key=keys["ours"]))
    ours.add(toys[0])
    assert ours.sign(toys[0]).startswith("sha256:")
    for signer, accepted in (("ours.pub", True), ("other.pub", False)):
        there = BucketStore(bucket, tmp_path / f"of {signer}", Signing(signers=(keys[signer],)))
        with nullcontext() if accepted else pytest.raises(PackageError, match=r"model\.sig"):
            assert BucketReplica(there).store.open(toys[0].digest).digest == toys[0].digest


@pytest.mark.parametrize("broken", ["missing", "no key"])
def test_a_key_that_cannot_be_used_stops_the_promotion(
    tmp_path: Path, toys: list[ModelPackage], broken: str
) -> None:
    site = PromotionSite(tmp_path / "site")
    key = tmp_path / "broken.key"
    if broken == "no key":
        key.write_text("-----BEGIN EC PRIVATE KEY-----\n")
    site.store.signing = Signing(key=str(key))
    with pytest.raises(StoreError, match=r"cannot be signed with .*broken\.key"):
        site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    site.assert_settled(None)


def test_without_a_key_file_sigstore_is_asked(
    tmp_path: Path, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = pytest.importorskip("model_signing.signing")
    verifying = pytest.importorskip("model_signing.verifying")
    asked: list[dict[str, Any]] = []
    for config, name in (
        (signing.Config, "use_sigstore_signer"),
        (verifying.Config, "use_sigstore_verifier"),
    ):
        monkeypatch.setattr(config, name, lambda self, **given: asked.append(given) or self)
    monkeypatch.setattr(signing.Config, "sign", lambda _, __, path: path.write_bytes(b"{}"))
    monkeypatch.setattr(verifying.Config, "verify", lambda *_: None)
    site = PromotionSite(tmp_path / "site")
    site.store.signing = Signing(key=KEYLESS, signers=(KEYLESS_SIGNER,))
    entry = site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    assert entry.promotion.signer == KEYLESS_SIGNER
    issuer, identity = KEYLESS_SIGNER.split("#")
    assert asked[0] == {"use_ambient_credentials": True}
    assert asked[1] == {"identity": identity, "oidc_issuer": issuer}


def test_without_the_library_the_error_names_the_extra(
    tmp_path: Path, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing.hashing", None)
    site = PromotionSite(tmp_path / "site")
    site.store.signing = Signing(key="any.key")
    with pytest.raises(StoreError, match="cannot be signed or verified") as caught:
        site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    assert "the extra `signing`" in caught.value.hint
