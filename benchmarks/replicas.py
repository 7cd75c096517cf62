"""A deployed Service of several replicas under a constant rate.

Latency counts from when each request was due. It needs a cluster (`KUBECONFIG`) on which an overlay
is deployed and a model is in production, and whose Services can be reached from here by their
addresses. The Deployment is scaled for the run, and back.
"""

import argparse
import json
import subprocess

import httpx

from benchmarks.serving.openloop import Attack
from benchmarks.serving.tables import open_loop


def main() -> None:
    """Scale, ask, scale back, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 6])
    parser.add_argument("--rate", type=float, default=1100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    before = int(_kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"))
    address = json.loads(_kubectl("get", "service", "api", "-o", "json"))["spec"]
    host = str(address["clusterIP"])
    port = int(address["ports"][0]["port"])
    outcomes = []
    try:
        for replicas in arguments.replicas:
            _scale(replicas)
            attack = Attack(
                port,
                [_request(host, port)],
                rate=arguments.rate,
                n=int(arguments.rate * arguments.seconds),
                host=host,
            )
            outcomes.append(attack.run(f"{replicas} replica(s)"))
    finally:
        _scale(before)
    print(open_loop(outcomes))


def _scale(replicas: int) -> None:
    _kubectl("scale", "deployment", "api", f"--replicas={replicas}")
    _kubectl("rollout", "status", "deployment", "api", "--timeout=180s")


def _request(host: str, port: int) -> bytes:
    """Make a request from the first example of the API's own documentation."""
    found = httpx.get(f"http://{host}:{port}/openapi.json").raise_for_status().json()
    content = found["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    body = json.dumps(content["examples"]["one row"]["value"]).encode()
    lines = ["POST /predict HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def _kubectl(*words: str) -> str:
    done = subprocess.run(
        ["kubectl", "-n", "tunegate", *words], capture_output=True, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
