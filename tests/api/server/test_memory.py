"""Whatever clients send at once, a worker's memory stays within the 256 MiB of the manifests."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.serving.servers import Running, await_true, put, running

from registry import ModelStore
from registry.package import load_package

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FORMATS = Path(__file__).parents[2] / "registry" / "package" / "formats"
BOSTON = load_package(FORMATS / "1" / "boston")
ROW = dict(BOSTON.golden.rows[0])
BODY = 16 << 20  # bytes, the limit
AT_ONCE = 6
MOST = 256 << 10  # KiB, the pod's limit


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = ModelStore(tmp_path_factory.mktemp("store"))
    put(store, BOSTON)
    with running(store, "boston") as found:
        yield found


def many(row: object) -> bytes:
    text = json.dumps(row).encode()
    return b"[" + b",".join([text] * min(100_000, BODY // (len(text) + 1) - 1)) + b"]"


def distinct_fields() -> bytes:
    rows = (b",".join(b'"%x":1.5' % (i * 13 + j) for j in range(13)) for i in range(90_000))
    return b"[" + b",".join(b"{" + row + b"}" for row in rows) + b"]"


# Those that were found to take most; a legitimate one, and one of which all rows are wrong.
STATUS = {"rows": 200, "wrong rows": 422}  # of the others, 413
BUSY = {408, 503}  # what else a busy machine answers: a body was late, or its turn was
BODIES: dict[str, Callable[[], bytes]] = {
    "numbers": lambda: b"[" + b"1," * 8_000_000 + b"1]",
    "texts": lambda: b"[" + b",".join(b'"%x"' % i for i in range(1_600_000, 3_200_000)) + b"]",
    "fields": lambda: b"{" + b",".join(b'"%x":1' % i for i in range(1_300_000)) + b"}",
    "rows": lambda: many(ROW),
    "wrong rows": lambda: many({**ROW, "CRIM": "many"}),
    "rows of distinct fields": distinct_fields,
    "a letter beyond the others": lambda: (
        '["\U0001f600",'.encode() + b'"abcdefgh",' * 1_400_000 + b"1]"
    ),
}


def kibibytes(server: Running, name: str) -> int:
    """Return a figure of /proc/<pid>/status."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


@pytest.mark.parametrize("kind", BODIES)
def test_six_of_the_largest_requests_at_once_stay_within_the_limit(
    server: Running, kind: str, record_property: Callable[[str, object], None]
) -> None:
    body = BODIES[kind]()[:BODY]
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # forgets the peak
    statuses: list[int] = []

    def send() -> None:
        statuses.append(server.client.post("/predict", content=body).status_code)

    senders = [threading.Thread(target=send) for _ in range(AT_ONCE)]
    for sender in senders:
        sender.start()
    assert server.client.get("/healthz").status_code == 200
    for sender in senders:
        sender.join()
    peak = kibibytes(server, "VmHWM")
    record_property("peak_kib", peak)
    wanted = STATUS.get(kind, 413)
    assert wanted in statuses
    assert set(statuses) <= {wanted, *BUSY}
    assert peak <= MOST
    await_true(lambda: server.client.post("/predict", json=ROW).is_success, "an answer")
