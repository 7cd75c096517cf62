"""Signatures of packages, in the OpenSSF Model Signing format; needs the extra `signing`.

The signature, `model.sig`, lies next to the package's files and covers each of them, the manifest
too. The package's digest does not cover it: who signs changes no digest, and may sign again.
`model_signing verify` verifies the same file.

A signer is the file of a public key (PEM, elliptic curve), or `ISSUER#IDENTITY` for sigstore's
signatures without a key, such as `https://token.actions.githubusercontent.com#https://github.com/
OWNER/REPOSITORY/.github/workflows/deploy.yml@refs/heads/main`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from registry.errors import PackageError, StoreError
from registry.package.model_package import ModelPackage
from registry.package.package_files import MANIFEST, SIGNATURE, read_package_file
from registry.record import Record

KEYLESS = "keyless"  # instead of a private key's file: sigstore, with the surroundings' identity
HINT = "promote it again, which signs it; or see `signing.signers`"


class Signing(Record, frozen=True, kw_only=True):
    """Who signs, and whose signatures are accepted.

    Attributes:
        key: file of the private key (PEM, elliptic curve) that promotion signs with, or `keyless`;
            empty where nothing is signed.
        signers: whose signature each package must have, one of them; empty to ask for none.
    """

    key: str = ""
    signers: tuple[str, ...] = ()

    @property
    def own_name(self) -> str:
        """The name of who signs with `key`, which was read before; empty without a key."""
        if self.key in {"", KEYLESS}:
            return self.key
        return _key_name(
            _serialization().load_pem_private_key(Path(self.key).read_bytes(), None).public_key()
        )

    def sign(self, package: ModelPackage) -> bytes | None:
        """Return a signature of a verified package; None where nothing is signed.

        Raises:
            StoreError: when the key cannot be used, or the library is missing.
        """
        if not self.key:
            return None
        library = _library()
        config = library.signing.Config().set_hashing_config(_Hashes.of(library, package))
        with TemporaryDirectory() as folder:
            written = Path(folder, SIGNATURE)
            try:
                if self.key == KEYLESS:
                    config.use_sigstore_signer(use_ambient_credentials=True)
                else:
                    config.use_elliptic_key_signer(private_key=self.key)
                config.sign(package.path, written)
            except Exception as error:  # the library's, cryptography's and sigstore's errors
                raise StoreError(
                    f"{package.digest[:12]} cannot be signed with {self.key}: {error}",
                    hint="`signing.key` names a private key (PEM, elliptic curve), or `keyless`",
                ) from error
            return written.read_bytes()

    def check(self, package: ModelPackage) -> str:
        """Return the name of the signer whose signature a package has; empty if none is asked for.

        What is compared is what was read and verified when the package was loaded, so that no
        writer can show this function other files.

        Raises:
            PackageError: when it has no signature, or none by a signer who is accepted.
            StoreError: when a signer's key cannot be read, or the library is missing.
        """
        if not self.signers:
            return ""
        library = _library()
        content = read_package_file(package.path / SIGNATURE)
        refused = []
        with TemporaryDirectory() as folder:
            read = Path(folder, SIGNATURE)
            read.write_bytes(content)
            for signer in self.signers:
                config = _verifying(library, signer)
                config.set_hashing_config(_Hashes.of(library, package))
                try:
                    config.verify(package.path, read)
                except Exception as error:  # noqa: BLE001 - as in `sign`, and a forger chooses
                    refused.append(f"{signer}: {str(error)[:200] or type(error).__name__}")
                else:
                    return signer_name(signer)
        raise PackageError(
            f"{package.path / SIGNATURE}: not the signature of an accepted signer: "
            + "; ".join(refused),
            hint=HINT,
        )


def signer_name(signer: str) -> str:
    """Return what the ledger keeps: `sha256:` and the digest of a public key, or ISSUER#IDENTITY.

    Its key was read before, to verify with it.
    """
    if "#" in signer:
        return signer
    return _key_name(_serialization().load_pem_public_key(Path(signer).read_bytes()))


def _key_name(public: Any) -> str:  # noqa: ANN401 - the library is an extra
    parts = _serialization()
    content = public.public_bytes(parts.Encoding.DER, parts.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _serialization() -> Any:  # noqa: ANN401 - as above
    return import_module("cryptography.hazmat.primitives.serialization")


def _verifying(library: Any, signer: str) -> Any:  # noqa: ANN401 - the library is an extra
    config = library.verifying.Config()
    issuer, keyless, identity = signer.partition("#")
    if keyless:
        return config.use_sigstore_verifier(identity=identity, oidc_issuer=issuer)
    try:
        return config.use_elliptic_key_verifier(public_key=signer)
    except Exception as error:  # the library's and cryptography's errors
        raise StoreError(
            f"{signer}: not a readable public key: {error}",
            hint="`signing.signers` names public keys (PEM, elliptic curve), or ISSUER#IDENTITY",
        ) from error


def _library() -> Any:  # noqa: ANN401 - the library is an extra
    try:
        for part in ("hashing", "manifest", "signing", "verifying"):
            import_module(f"model_signing.{part}")
        return import_module("model_signing")
    except ModuleNotFoundError as error:
        raise StoreError(
            f"packages cannot be signed or verified: {error}",
            hint="install tunegate with the extra `signing`",
        ) from error


@dataclass(frozen=True, slots=True)
class _Hashes:
    """Stands for the library's hashing of a folder: the digests are known, and were verified."""

    library: Any
    name: str
    digests: Mapping[str, str]

    @classmethod
    def of(cls, library: Any, package: ModelPackage) -> "_Hashes":  # noqa: ANN401 - as above
        return cls(library, package.digest, {**package.manifest.files, MANIFEST: package.digest})

    def hash(self, _: Path, *, files_to_hash: Sequence[Path] | None = None) -> Any:  # noqa: ANN401, ARG002
        """Return the library's manifest of the package's files."""
        manifest = self.library.manifest
        form = manifest.SerializationType.from_args(
            {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE],
            }
        )
        digest = self.library.hashing.hashing.Digest
        items = [
            form.new_item(name, digest("sha256", bytes.fromhex(sha256)))
            for name, sha256 in sorted(self.digests.items())
        ]
        return manifest.Manifest(self.name, items, form)

    def add_ignored_paths(self, *, model_path: Path, paths: Sequence[str]) -> None:
        """Ignore nothing: each of the package's files is signed."""
