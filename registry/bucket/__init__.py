"""A model store and a ledger in an object store: S3, Google's, Azure's, or any of fsspec's.

They need the extra `bucket`, or `bucket-gcs` for Google's. Each library is imported by the one
module that speaks it.
"""

from registry.bucket.addresses import open_bucket
from registry.bucket.bucket import Bucket
from registry.bucket.bucket_ledger import BucketLedger
from registry.bucket.bucket_store import BucketReplica, BucketStore

__all__ = ["Bucket", "BucketLedger", "BucketReplica", "BucketStore", "open_bucket"]
