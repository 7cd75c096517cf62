"""The table of servers: each one's name, how its users start it, and its routes.

Words in braces are filled in at the start: {python} and {bin} of the server's own environment,
{folder} of the fixture, {here} of the small applications, {root} of this project, and {port},
{grpc}, {metrics}, each a free port.
"""

from dataclasses import dataclass, field

from benchmarks.serving import bodies
from benchmarks.serving.bodies import Protocol

SKLEARN = "scikit-learn"
FLAT = "our flat forest"
FLOOR = "constant answer"
PICKLE = {"MODEL": "{folder}/model.joblib"}
PACKAGE = {"MODEL": "{folder}/package", "FLAT": "1", "PYTHONPATH": "{here}:{root}"}
PORTS = {
    "MLSERVER_HOST": "127.0.0.1",
    "MLSERVER_HTTP_PORT": "{port}",
    "MLSERVER_GRPC_PORT": "{grpc}",
}
MLSERVER = {**PORTS, "MLSERVER_METRICS_PORT": "{metrics}", "MLSERVER_PARALLEL_WORKERS": "0"}
OURS = "tunegate"
PLAIN = "tunegate without fast path"
TUTORIAL = "FastAPI tutorial"
BARE = "floor"


@dataclass(frozen=True)
class Route:
    """One way to ask a server."""

    name: str
    path: str
    protocol: Protocol
    rounds: bool = True  # asked row by row under load, not only with batches


@dataclass(frozen=True)
class Server:
    """One server: its environment in .peers, its command, what answers there."""

    name: str
    environment: str
    command: tuple[str, ...]
    routes: tuple[Route, ...]
    model: str = SKLEARN
    variables: dict[str, str] = field(default_factory=dict)


def _ours(name: str, *options: str, **variables: str) -> Server:
    command = (
        "{python}",
        "-m",
        "tunegate",
        "serve",
        "--model=forest",
        "--store={folder}/store",
        "--port={port}",
    )
    routes = (
        Route(f"{name} /predict", "/predict", bodies.OWN),
        Route(f"{name} V1", "/v1/models/forest:predict", bodies.V1),
        Route(f"{name} V2", "/v2/models/forest/infer", bodies.V2),
        Route(f"{name} V2 binary", "/v2/models/forest/infer", bodies.V2_BINARY, rounds=False),
    )
    return Server(name, "tunegate", (*command, *options), routes, FLAT, variables)


def _kserve(name: str, model: str, variables: dict[str, str]) -> Server:
    command = (
        "{python}",
        "{here}/kserve_app.py",
        "--http_port={port}",
        "--enable_grpc=false",
        "--workers=1",
    )
    routes = (
        Route(f"{name} V1", "/v1/models/forest:predict", bodies.V1),
        Route(f"{name} V2", "/v2/models/forest/infer", bodies.V2),
        Route(f"{name} V2 binary", "/v2/models/forest/infer", bodies.V2_BINARY, rounds=False),
    )
    return Server(name, "kserve", command, routes, model, variables)


def _mlserver(name: str, folder: str, model: str = SKLEARN, **variables: str) -> Server:
    routes = (Route(f"{name} V2", "/v2/models/forest/infer", bodies.V2),)
    command = ("{bin}/mlserver", "start", folder)
    return Server(name, "mlserver", command, routes, model, {**MLSERVER, **variables})


SERVERS = (
    _ours(OURS),
    _ours(PLAIN, TUNEGATE_SERVING__FAST_PATH="false"),
    Server(
        BARE,
        "tunegate",
        (
            "{python}",
            "-m",
            "uvicorn",
            "floor:app",
            "--port={port}",
            "--no-access-log",
            "--loop=uvloop",
            "--http=httptools",
        ),
        (Route(BARE, "/predict", bodies.OWN),),
        FLOOR,
        {"PYTHONPATH": "{here}"},
    ),
    Server(
        TUTORIAL,
        "fastapi",
        ("{python}", "-m", "uvicorn", "--app-dir={here}", "fastapi_app:app", "--port={port}"),
        (Route(TUTORIAL, "/predict", bodies.FLAT),),
        variables=PICKLE,
    ),
    Server(
        "Flask + gunicorn",
        "flask",
        (
            "{bin}/gunicorn",
            "--chdir={here}",
            "--workers=1",
            "--bind=127.0.0.1:{port}",
            "flask_app:app",
        ),
        (Route("Flask + gunicorn", "/predict", bodies.FLAT),),
        variables=PICKLE,
    ),
    _mlserver("MLServer", "{folder}/mlserver"),
    _mlserver("MLServer, 1 parallel worker", "{folder}/mlserver", MLSERVER_PARALLEL_WORKERS="1"),
    _kserve("KServe", SKLEARN, PICKLE),
    Server(
        "BentoML",
        "bentoml",
        (
            "{bin}/bentoml",
            "serve",
            "bentoml_service:Forest",
            "--working-dir={here}",
            "--host=127.0.0.1",
            "--port={port}",
        ),
        (Route("BentoML", "/predict", bodies.BENTOML),),
        variables={**PICKLE, "BENTOML_HOME": "{folder}/bentoml", "BENTOML_DO_NOT_TRACK": "True"},
    ),
    Server(
        "MLflow",
        "mlflow",
        (
            "{bin}/mlflow",
            "models",
            "serve",
            "-m",
            "{folder}/mlflow",
            "--env-manager=local",
            "--port={port}",
        ),
        (Route("MLflow", "/invocations", bodies.MLFLOW),),
        variables={"PATH": "{bin}:{path}", "MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    Server(
        "Ray Serve",
        "ray",
        ("{python}", "{here}/ray_app.py", "{port}", "{folder}/ray"),
        (Route("Ray Serve", "/predict", bodies.FLAT),),
        variables={**PICKLE, "RAY_USAGE_STATS_ENABLED": "0"},
    ),
    _kserve("KServe, our model", FLAT, PACKAGE),
    _mlserver("MLServer, our model", "{folder}/mlserver-flat", FLAT, PYTHONPATH="{here}:{root}"),
)
TWO_WORKERS = _ours("tunegate, 2 workers", "--workers=2")
