"""A model store and a ledger in an object store: S3, Google Cloud Storage, Azure.

It needs the extra `bucket`. `bucket` is the only module that speaks to the object store.
"""

from registry.bucket.bucket import Bucket
from registry.bucket.bucket_ledger import BucketLedger
from registry.bucket.bucket_store import BucketReplica, BucketStore

__all__ = ["Bucket", "BucketLedger", "BucketReplica", "BucketStore"]
