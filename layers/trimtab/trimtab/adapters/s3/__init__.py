"""S3: the records' blobs as objects of a bucket, and trades.db as one object that is swapped whole.

Every write is conditional (`If-None-Match: *`, or `If-Match` with the ETag that was read), so of racing
writers S3 lets one pass and tells the others (source: Amazon S3 User Guide, "How to prevent object overwrites
with conditional writes"). Each write carries a random mark in the object's metadata: when an answer is lost
and the request is repeated, the refusal that follows is known by it as one's own success.

Credentials, region and endpoint come from where every AWS tool finds them, and no error repeats any of them.
"""

from __future__ import annotations

from trimtab.adapters.s3.document import read_document
from trimtab.adapters.s3.guest import S3GuestTrades
from trimtab.adapters.s3.store import S3Store
from trimtab.adapters.s3.trades import S3Trades

__all__ = ["S3GuestTrades", "S3Store", "S3Trades", "read_document"]
