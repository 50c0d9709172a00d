"""How a pool keeps to the quotas that servers name in their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilience import _clock
from resilience._pool_statistics import KeyStatistics

if TYPE_CHECKING:
    from resilience._core.key_quota import Told
    from resilience._lease import Lease

__all__ = ["KeyQuotas"]


class KeyQuotas(KeyStatistics):
    """What leases tell of the requests that are made with them."""

    def send(self, lease: Lease) -> float:
        """Number a request that is about to be sent; or return the seconds until one may be."""
        with self._lock:
            quota, now = lease.entry.quota, _clock.now()
            wait = 0.0 if quota is None else quota.wait(now)
            if quota is not None and not wait:
                lease.number = quota.send(now)
        return wait

    def tell(self, lease: Lease, said: Told) -> None:
        """Take what the answer to the request of this lease says of the quota of its key."""
        with self._lock:
            if lease.member.secret is lease.secret and not lease.is_free:
                self._ring.tell(lease.entry, said, lease.number, lease.began, _clock.now())
