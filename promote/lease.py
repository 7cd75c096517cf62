"""Who carries out a promotion, and when another process may take it over.

A process is known to be gone only where it would be seen: on the machine with the same boot id, in
the same namespace of process ids. Containers share a host's name, and a pid of one names another
process, or none, in the next. Wherever that is not known, the lease alone decides.
"""

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from registry import Entry

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")
# Between a clock and the store's; a lease is ten minutes, and file servers may be minutes off.
TOLERATED_SKEW = timedelta(hours=1)


def process_owner() -> str:
    """Return the lease holder that stands for this process: host:pid:boot:namespace.

    The last two are missing where the system does not tell them.
    """
    return ":".join([socket.gethostname(), str(os.getpid()), *_machine()])


def is_abandoned(entry: Entry, now: datetime, *, heir: str = "") -> bool:
    """Whether an entry in flight may be taken over: its lease is over, or its process is gone.

    Args:
        entry: the entry.
        now: the time of day, with a zone.
        heir: an owner that never runs twice at once, such as a Job whose pods follow each other;
            it may take over its own entries.
    """
    if heir and entry.promotion.owner == heir:
        return True
    return _process_is_gone(entry.promotion.owner) or entry.promotion.expired(now)


def clock_problem(entry: Entry, now: datetime, store_time: datetime | None) -> str:
    """Say why this clock cannot judge an entry's lease; empty where it can.

    Args:
        entry: an entry in flight.
        now: this process' time of day, with a zone.
        store_time: the store's; None where it is not known.
    """
    if store_time and abs(now - store_time) > TOLERATED_SKEW:
        return f"this machine's clock differs from the store's by {_rounded(now - store_time)}"
    ahead = entry.promotion.created_at - now
    if ahead > TOLERATED_SKEW:
        return f"the clock of the machine that began it was {_rounded(ahead)} ahead of this one's"
    return ""


def _rounded(difference: timedelta) -> timedelta:
    return timedelta(seconds=round(abs(difference).total_seconds()))


def _machine() -> list[str]:
    try:
        boot = BOOT_ID.read_text().strip()
        namespace = str(PID_NAMESPACE.readlink())  # pid:[4026531836]
    except OSError:
        return []
    return [boot, "".join(filter(str.isdigit, namespace))]


def _process_is_gone(lease_holder: str) -> bool:
    """Whether the lease is held by another process that would be seen here and does not run."""
    host, _, rest = lease_holder.partition(":")
    pid, _, machine = rest.partition(":")
    here = ":".join(_machine())
    if host != socket.gethostname() or not here or machine != here:
        return False
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False
