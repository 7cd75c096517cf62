"""The settings by name, with their defaults and limits."""

import getpass
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from promote.policy import GatePolicy
from registry.package.signing import Signing
from registry.record import END, Count, Positive, Record
from tunegate.errors import UsageError

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0)]
Prefix = Annotated[str, Meta(pattern=rf"^(/[A-Za-z0-9._~-]+)*{END}")]
Origin = Annotated[str, Meta(pattern=rf"^([*]|https?://[^/?#\s]+){END}")]
OWN_PATHS = frozenset(
    {"docs", "healthz", "metrics", "models", "predict", "readyz", "static", "v1", "v2", "version"}
)


class Serving(Record, frozen=True, kw_only=True):
    """How to serve; None is the server's own default, in `api.limits.Limits` and `api.server.run`.

    Attributes:
        also: other models of the store, served under their names.
        workers: processes on the same port.
        drain: seconds to keep answering after SIGTERM while clients move elsewhere.
        grpc_port: where to listen for gRPC too; 0 for nowhere.
        access_log: whether each request is written to stdout, a line of JSON each.
        max_body: bytes of a request's body.
        max_rows: rows of a request.
        max_requests: requests in flight at once, in each worker.
        body_seconds: seconds for a request's body to arrive.
        poll: seconds between two looks at the pointer.
        fast_path: whether frequent requests are answered before they reach FastAPI.
        root_path: the prefix below which a proxy publishes the server, as `/prices`.
        origins: of pages that a browser may let read the answers (CORS), as `https://a.example`;
            `*` for all.
        proxies: addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are believed.
    """

    also: tuple[str, ...] = ()
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    drain: Annotated[float, Meta(ge=0)] = 0.0
    grpc_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    access_log: bool = True
    max_body: Positive | None = None
    max_rows: Positive | None = None
    max_requests: Positive | None = None
    body_seconds: Seconds | None = None
    poll: Seconds | None = None
    fast_path: bool = True
    root_path: Prefix = ""
    origins: tuple[Origin, ...] = ()
    proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a prefix that the server's own paths have: nobody could tell them apart."""
        if self.root_path[1:].split("/")[0] in OWN_PATHS:
            raise ValueError(f"root_path: the server has paths of its own below {self.root_path}")


def _default_actor() -> str:
    try:
        return os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


class Settings(Record, frozen=True, kw_only=True):
    """All settings.

    Attributes:
        data: a built-in data set's name, or the path of a spec (.toml); if empty, what the
            newest run learned from, and `boston` before there is one.
        include: dropped columns to learn from after all.
        state: folder of runs, verdicts, and by default of store and ledger.
        store: the model store: its root, or an object store's URL; below `state` by default.
        cache: folder for trials and for packages that were read, where the store is a URL; below
            `state` by default.
        model: the model's name in ledger and store; the data set's if empty.
        ledger: the SQLite ledger's file, below `state` by default; or the http(s) address of a
            Kubeflow Model Registry.
        ledger_token: file that holds the registry's bearer token; read at each connection, so it
            may be rotated.
        ledger_ca: file with the certificates that the registry's own is checked against.
        environment: which of the registry's serving environments; each has its own ledgers.
        namespace: where Experiments are on the cluster; the document's own if empty.
        context: the kubeconfig's context; if empty the current one, or inside a cluster the pod's
            own account.
        store_uri: how others address the store, for deploy_details.json; `file://` and the path by
            default.
        details: where deploy_details.json is written; below `state` by default.
        host: address to serve on.
        port: port to serve on.
        url: a running service's address, for smoke tests; if empty, nothing is smoke-tested.
        api_key: file with the key that requests for predictions must carry; no key is asked for if
            unset.
        actor: who promotes.
        approved_by: who has approved a promotion before it was judged, such as a reviewer of the
            workflow; if empty, `gate.approval` decides whether it waits.
        approval_reason: why.
        owner: who carries promotions out, if that outlives a process, such as a Job; it must never
            run twice at once.
        mounts: claim, volume or mount path -> folder, for local trials.
        images: image -> interpreter, for local trials.
        cpus: CPUs to use; 0 for all.
        time: how long local trials may start, in seconds or as in `1h30m`; no limit if unset.
        warm_start: whether a local search learns from earlier runs.
        keep_runs: how many runs of an Experiment are kept.
        gate: see `promote.policy.GatePolicy`.
        serving: see `Serving`.
        signing: see `registry.package.signing.Signing`; needs the extra `signing`.
    """

    data: str = ""
    include: tuple[str, ...] = ()
    state: Path = Path(".tunegate")
    store: str = ""
    cache: Path | None = None
    model: str = ""
    ledger: str = ""
    ledger_token: Path | None = None
    ledger_ca: Path | None = None
    environment: str = "production"
    namespace: str = ""
    context: str = ""
    store_uri: str = ""
    details: Path | None = None
    host: str = "127.0.0.1"
    port: Port = 8000
    url: str = ""
    api_key: Path | None = None
    actor: str = msgspec.field(default_factory=_default_actor)
    approved_by: str = ""
    approval_reason: str = ""
    owner: str = ""
    mounts: dict[str, Path] = msgspec.field(default_factory=dict)
    images: dict[str, str] = msgspec.field(default_factory=dict)
    cpus: Count = 0
    time: float | None = None
    warm_start: bool = False
    keep_runs: Positive = 10
    gate: GatePolicy = GatePolicy()
    serving: Serving = Serving()
    signing: Signing = Signing()

    def __post_init__(self) -> None:
        """Refuse values that would do harm later."""
        if self.owner.endswith(":"):
            raise ValueError(
                "owner: it names nobody; runs with the same owner take over each other's promotions"
            )
        if self.url and not _is_web_address(self.url):
            raise ValueError(f"url: write it as http://HOST:PORT (got {self.url!r})")

    @property
    def store_path(self) -> Path:
        """The model store's folder on this machine."""
        if self.store and not self.bucket:
            return Path(self.store)
        return self.cache or self.state / "store"

    @property
    def bucket(self) -> str:
        """The URL of the object store that the model store is in; empty where it is a folder."""
        return str(self.store) if "://" in str(self.store) else ""

    @property
    def ledger_path(self) -> Path:
        """Where the SQLite ledger is."""
        if self.ledger:
            return Path(self.ledger)
        return self.state / "ledger.db"

    @property
    def registry(self) -> str:
        """The Kubeflow Model Registry's address; empty where the ledger is a file."""
        if self.ledger.startswith(("http://", "https://")):
            return self.ledger
        return ""

    @property
    def ledger_bucket(self) -> str:
        """The URL of the object store that the ledger is in; empty where it is elsewhere."""
        return self.ledger if "://" in self.ledger and not self.registry else ""

    @property
    def details_path(self) -> Path:
        """Where deploy_details.json is written."""
        return self.details or self.state / "deploy_details.json"

    @property
    def uri(self) -> str:
        """The store's address for others."""
        return self.store_uri or self.bucket or self.store_path.resolve().as_uri()

    @property
    def key(self) -> str:
        """The service's API key; empty if none is asked for.

        Raises:
            UsageError: when its file cannot be read, or holds no key.
        """
        if self.api_key is None:
            return ""
        hint = "see `api_key`"
        problem = f"the API key cannot be read: {self.api_key}"
        try:
            key = self.api_key.read_text(encoding="ascii").strip()
        except OSError as error:
            raise UsageError(f"{problem}: {error.strerror}", hint=hint) from None
        except UnicodeDecodeError:
            raise UsageError(f"{problem}: it holds more than ASCII", hint=hint) from None
        if not key or not key.isprintable():
            raise UsageError(f"{self.api_key} must hold the API key, on one line", hint=hint)
        return key

    @property
    def address(self) -> str:
        """The served address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
