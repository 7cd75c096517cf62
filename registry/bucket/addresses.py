"""Which object store a URL names, and which package speaks to it."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from registry.bucket.bucket import Bucket
from registry.errors import StoreError

OBSTORE = {"s3", "s3a", "az", "adl", "azure", "abfs", "abfss"}
GOOGLE = {"gs", "gcs"}


def open_bucket(url: str) -> Bucket:
    """Return the objects below a URL: `s3://`, `gs://`, `az://`, or any that fsspec knows.

    Raises:
        StoreError: when the URL names no object store, its package is not installed, or its
            settings are wrong.
    """
    scheme, host, *_ = urlsplit(url)
    if "://" not in url or (scheme in OBSTORE | GOOGLE and not host):
        raise StoreError(f"{url}: no object store", hint="write it as s3://BUCKET/FOLDER")
    if scheme in OBSTORE:
        _require(url, "obstore", "bucket")
        from registry.bucket.obstore_bucket import ObstoreBucket  # noqa: PLC0415 - an extra

        return ObstoreBucket(url)
    if scheme in GOOGLE:
        _require(url, "google.cloud.storage", "bucket-gcs")
        from registry.bucket.google_bucket import GoogleBucket  # noqa: PLC0415 - an extra

        return GoogleBucket(url)
    _require(url, "fsspec", "bucket")
    from registry.bucket.fsspec_bucket import FsspecBucket  # noqa: PLC0415 - an extra

    return FsspecBucket(url)


def _require(url: str, module: str, extra: str) -> None:
    parent, _, _ = module.rpartition(".")
    try:
        found = find_spec(module) if not parent or find_spec(parent) else None
    except ModuleNotFoundError:
        found = None
    if not found:
        raise StoreError(
            f"{url}: the package {module} is not installed", hint=f"pip install 'tunegate[{extra}]'"
        )
