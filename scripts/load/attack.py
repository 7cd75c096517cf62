"""Attack a running server with a load tool that people know, and print what came of it.

    python scripts/load/attack.py vegeta --url http://127.0.0.1:8000 --pid 1234

Tools: vegeta (constant rate), locust and k6 (users that wait for their answers). The default sizes
are the published ones. `scripts/load/tools` installs the tools into `.tools` and
`.peers`; reports and plots go to `build/load/<tool>`. docs/load.md has the figures.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from server_cost import ServerCost

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUCKETS = "hist[0,1ms,2ms,5ms,10ms,25ms,50ms,100ms,250ms,1s,5s,20s]"
ANSWER_TIMEOUT = 30  # seconds; of one request
# What others published for their servers under the same load (docs/load.md).
USERS = "published with locust: p95 4,000 ms with 50 users, 400 ms with 10 users"
PUBLISHED = {
    "vegeta": "published, 1,100/s on 6 replicas: 82.88 answers/s, p50 4,500 ms, p99 18,300 ms",
    "locust": USERS,
    "k6": USERS,
}


class NoRequestError(Exception):
    """A tool sent no request in the whole time."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a tool is to do.

    Attributes:
        url: of the server, without a path.
        folder: where the tool's files go.
        seconds: how long.
        rate: requests a second, of vegeta.
        users: of locust and k6.
        spawn: users that begin in a second.
    """

    url: str
    folder: Path
    seconds: int
    rate: int
    users: int
    spawn: float

    @property
    def row(self) -> Path:
        """The file with a request's body."""
        return self.folder / "row.json"


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a load; latencies in milliseconds."""

    requests: int
    failed: int
    answered_a_second: float
    p50: float
    p95: float
    p99: float


def main() -> int:
    """Run a tool; exit code 1 when a request failed, 2 when tool or server are missing."""
    arguments = _parse()
    folder = ROOT / "build" / "load" / arguments.tool
    folder.mkdir(parents=True, exist_ok=True)
    load = Load(
        url=arguments.url.rstrip("/"),
        folder=folder,
        seconds=arguments.seconds,
        rate=arguments.rate,
        users=arguments.users,
        spawn=arguments.spawn,
    )
    try:
        load.row.write_bytes(example_row(load.url))
        cost = ServerCost.begin(arguments.pid) if arguments.pid else None
        figures = TOOLS[arguments.tool](load)
    except (OSError, NoRequestError, subprocess.CalledProcessError) as error:
        print(f"attack: {error}", file=sys.stderr)
        print("hint: start `tunegate serve`; install the tool: scripts/load/tools", file=sys.stderr)
        return 2
    print(table(figures, cost))
    print(PUBLISHED[arguments.tool])
    print(f"files: {folder}")
    return 1 if figures.failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--pid", type=int, help="of the server, to measure its CPU and memory")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rate", type=int, default=1100, help="requests/s of vegeta")
    parser.add_argument("--users", type=int, default=50, help="of locust and k6")
    parser.add_argument("--spawn", type=float, default=2, help="users that begin in a second")
    return parser.parse_args()


def example_row(url: str) -> bytes:
    """Return the body that the server's own OpenAPI document has as the example of `/predict`."""
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=ANSWER_TIMEOUT) as answer:  # noqa: S310 - the user's own server
        document = json.load(answer)
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    example = next(iter(content["examples"].values()))
    return json.dumps(example["value"]).encode()


def run_vegeta(load: Load) -> Figures:
    """Attack at a constant rate; writes the histogram, the report as JSON and a plot."""
    vegeta = str(ROOT / ".tools" / "load" / "vegeta")
    targets = load.folder / "targets.http"
    targets.write_text(
        f"POST {load.url}/predict\nContent-Type: application/json\n@{load.row}\n", encoding="utf-8"
    )
    results = load.folder / "results.bin"
    _run(
        vegeta,
        "attack",
        f"-rate={load.rate}/1s",
        f"-duration={load.seconds}s",
        f"-timeout={ANSWER_TIMEOUT}s",
        f"-targets={targets}",
        f"-output={results}",
    )
    report = load.folder / "report.json"
    histogram = load.folder / "histogram.txt"
    _run(vegeta, "report", "-type=json", f"-output={report}", str(results))
    _run(vegeta, "report", f"-type={BUCKETS}", f"-output={histogram}", str(results))
    _run(vegeta, "plot", f"-output={load.folder / 'plot.html'}", str(results))
    print(histogram.read_text(encoding="utf-8"))
    found = json.loads(report.read_text(encoding="utf-8"))
    latencies = {name: value / 1e6 for name, value in found["latencies"].items()}
    failed = found["requests"] - found["status_codes"].get("200", 0)
    return Figures(
        found["requests"],
        failed,
        found["throughput"],
        latencies["50th"],
        latencies["95th"],
        latencies["99th"],
    )


def run_locust(load: Load) -> Figures:
    """Let users ask, each as soon as it has its answer."""
    prefix = load.folder / "users"
    _run(
        str(ROOT / ".peers" / "locust" / "bin" / "locust"),
        f"--locustfile={HERE / 'locustfile.py'}",
        f"--host={load.url}",
        f"--users={load.users}",
        f"--spawn-rate={load.spawn}",
        f"--run-time={load.seconds}s",
        f"--csv={prefix}",
        f"--html={prefix}.html",
        "--headless",
        "--only-summary",
        "--loglevel=WARNING",
        "--exit-code-on-error=0",
        TUNEGATE_LOAD_ROW=str(load.row),
    )
    with Path(f"{prefix}_stats.csv").open(encoding="utf-8", newline="") as lines:
        total = next(row for row in csv.DictReader(lines) if row["Name"] == "Aggregated")
    if total["Request Count"] == "0":
        raise NoRequestError("locust sent no request; give it more --seconds")
    return Figures(
        int(total["Request Count"]),
        int(total["Failure Count"]),
        float(total["Requests/s"]),
        float(total["50%"]),
        float(total["95%"]),
        float(total["99%"]),
    )


def run_k6(load: Load) -> Figures:
    """Let users ask, as locust does."""
    summary = load.folder / "summary.json"
    _run(
        str(ROOT / ".tools" / "load" / "k6"),
        "run",
        "--quiet",
        "--no-usage-report",
        "--summary-trend-stats=med,p(95),p(99)",
        f"--summary-export={summary}",
        str(HERE / "k6.js"),
        TUNEGATE_LOAD_ROW=str(load.row),
        TUNEGATE_LOAD_URL=load.url,
        TUNEGATE_LOAD_USERS=str(load.users),
        TUNEGATE_LOAD_SPAWN=str(load.spawn),
        TUNEGATE_LOAD_SECONDS=str(load.seconds),
    )
    metrics = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
    latencies = metrics["http_req_duration"]
    failed = metrics["http_req_failed"]["passes"]
    requests = metrics["http_reqs"]["count"]
    return Figures(
        requests,
        failed,
        (requests - failed) / load.seconds,
        latencies["med"],
        latencies["p(95)"],
        latencies["p(99)"],
    )


def _run(*command: str, **variables: str) -> None:
    """Run a tool, with what it says on stderr.

    Raises:
        OSError: when it is not installed.
        subprocess.CalledProcessError: when it fails.
    """
    subprocess.run(command, env={**os.environ, **variables}, stdout=sys.stderr, check=True)


def table(figures: Figures, cost: ServerCost | None) -> str:
    """Return the figures as a Markdown table of one row."""
    names = ["requests", "failed", "answers/s", "p50 ms", "p95 ms", "p99 ms"]
    cells = [
        f"{figures.requests:,}",
        f"{figures.failed:,}",
        f"{figures.answered_a_second:,.1f}",
        f"{figures.p50:,.2f}",
        f"{figures.p95:,.2f}",
        f"{figures.p99:,.2f}",
    ]
    if cost:
        spent = cost.end()
        names += ["server's cores", "CPU us a request", "server's memory MiB"]
        cells += [
            f"{spent.cores:.2f}",
            f"{spent.cpu_seconds / max(figures.requests, 1) * 1e6:,.0f}",
            f"{spent.memory_mib:,.0f}",
        ]
    rule = ["---:"] * len(names)
    return "\n".join(f"| {' | '.join(line)} |" for line in (names, rule, cells))


TOOLS = {"vegeta": run_vegeta, "locust": run_locust, "k6": run_k6}


if __name__ == "__main__":
    sys.exit(main())
