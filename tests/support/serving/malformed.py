"""The corpus of malformed requests in `tests/api/malformed`, as bytes to send."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parents[2] / "api" / "malformed"
PATHS = {
    "predict": "/predict",
    "named": "/v1/models/{}/predict",
    "v1": "/v1/models/{}:predict",
    "v2": "/v2/models/{}/infer",
}
NAMES = ("size", "age", "region", "garden")
GOOD = {"size": "80.5", "age": "12.0", "region": '"north"', "garden": "true"}
DATATYPES = {"size": "FP64", "age": "FP64", "region": "BYTES", "garden": "BOOL"}


@dataclass(frozen=True)
class Case:
    """One request.

    Attributes:
        model: `homes` or `flowers`, whose server is asked.
        path: the request's path; empty where `content` is the whole request.
        content: the body, or the whole request.
        status: what is expected: a status, `4xx`, or `none` where a server may also hang up without
            a word.
        named: the field that the problem must name, or how its place must end; empty where there is
            none.
        hangs_up: whether the client ends its side after sending.
        rows: what must have been understood, for requests that are good.
    """

    name: str
    content: bytes
    path: str = ""
    model: str = "homes"
    headers: dict[str, str] = field(default_factory=dict)
    status: str = "4xx"
    named: str = ""
    hangs_up: bool = False
    rows: Sequence[Sequence[Any]] = ()

    @property
    def request(self) -> bytes:
        """What goes over the socket."""
        return post(self.path, self.content, self.headers) if self.path else self.content


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return a whole request."""
    lines = {
        "Host": "x",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def malformed() -> list[Case]:
    """Read all requests that must be refused."""
    return [*_rows(), *_bodies(), *_documents("documents"), *_http()]


def good() -> list[Case]:
    """Read all requests that look odd and must be answered."""
    return list(_documents("good"))


def _read(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(
        (CORPUS / f"{name}.yaml").read_text(encoding="utf-8")
    )
    return found


def _bytes(parts: Any) -> bytes:  # noqa: ANN401 - YAML
    if isinstance(parts, str):
        return parts.encode()
    if isinstance(parts, list):
        return b"".join(map(_bytes, parts))
    if "repeat" in parts:
        return parts["repeat"].encode() * int(parts["times"])
    if "utf16" in parts:
        return str(parts["utf16"]).encode("utf-16-le")
    return bytes.fromhex(parts["hex"]) if "hex" in parts else base64.b64decode(parts["base64"])


def _rows() -> Iterator[Case]:
    """Send each change of a row by every route that can carry it."""
    for entry in _read("rows"):
        name = entry["name"]
        field_name = entry.get("field", "")
        texts = {key: entry.get("set", {}).get(key, value) for key, value in GOOD.items()}
        wrong = _object({k: v for k, v in texts.items() if k not in entry.get("drop", ())})
        right = _object(GOOD)
        wrong = wrong[:-1] + ", " + entry["add"] + "}" if "add" in entry else wrong
        bodies = {
            "/predict": wrong,
            "/predict, list": f"[{right}, {wrong}]",
            "named": wrong,
            "V1, objects": f'{{"instances": [{right}, {wrong}]}}',
        }
        if "set" in entry:
            bodies |= {
                "V1, lists": f'{{"instances": [{_list(GOOD)}, {_list(texts)}]}}',
                "V2": _columns(texts),
            }
        for route, body in bodies.items():
            key = {"/p": "predict", "na": "named", "V1": "v1", "V2": "v2"}[route[:2]]
            yield Case(
                f"{name} ({route})", body.encode(), PATHS[key].format("homes"), named=field_name
            )


def _object(texts: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}"


def _list(texts: dict[str, str]) -> str:
    return "[" + ", ".join(texts[name] for name in NAMES) + "]"


def _columns(texts: dict[str, str]) -> str:
    tensors = [
        f'{{"name": "{name}", "shape": [2], "datatype": "{DATATYPES[name]}", '
        f'"data": [{GOOD[name]}, {texts[name]}]}}'
        for name in NAMES
    ]
    return f'{{"inputs": [{", ".join(tensors)}]}}'


def _bodies() -> Iterator[Case]:
    for entry in _read("bodies"):
        for route, path in PATHS.items():
            content = _bytes(entry["body"])
            yield Case(
                f"{entry['name']} ({route})",
                content,
                path.format("homes"),
                headers=entry.get("headers", {}),
            )


def _documents(name: str) -> Iterator[Case]:
    for entry in _read(name):
        model = entry.get("model", "homes")
        content = _bytes(entry["body"]) if "body" in entry else json.dumps(_tensors(entry)).encode()
        announced = (
            {"Inference-Header-Content-Length": str(len(content))} if "binary" in entry else {}
        )
        yield Case(
            entry["name"],
            content + _bytes(entry.get("binary", "")),
            PATHS[entry["to"]].format(model),
            model,
            announced | entry.get("headers", {}),
            str(entry.get("status", "4xx")),
            entry.get("field", ""),
            rows=entry.get("rows", ()),
        )


def _tensors(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a good request of V2 of two equal rows, with the entry's changes.

    A tensor that is null is left out; with `binary` at the entry, a tensor that has parameters has
    its data there.
    """
    inputs: list[dict[str, Any]] = [
        {
            "name": name,
            "shape": [2],
            "datatype": DATATYPES[name],
            "data": [json.loads(GOOD[name])] * 2,
        }
        | (entry["tensors"].get(name) or {})
        for name in NAMES
        if entry["tensors"].get(name, {}) is not None
    ]
    for tensor in inputs:
        if "binary" in entry and "parameters" in tensor:
            del tensor["data"]
    return {"inputs": inputs + entry.get("more", [])} | entry.get("top", {})


def _http() -> Iterator[Case]:
    for entry in _read("http"):
        yield Case(
            entry["name"],
            _bytes(entry["raw"]),
            status=str(entry["status"]),
            hangs_up="hangs_up" in entry,
        )
