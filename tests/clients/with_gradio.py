"""Gradio's own client, in `.peers/gradio`: asks a page that runs."""

from typing import Any

from gradio_client import Client
from ways import try_all


def client(asked: dict[str, Any]) -> Client:
    return Client(asked["page"], verbose=False, analytics_enabled=False)


def fields(asked: dict[str, Any]) -> dict[str, Any]:
    parameters = client(asked).view_api(return_format="dict")["named_endpoints"]["/predict"][
        "parameters"
    ]
    return {each["label"]: each["parameter_default"] for each in parameters}


def predict(asked: dict[str, Any], row: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return client(asked).predict(*(row[name] for name in fields(asked)), api_name="/predict")


try_all(
    {
        "fields": fields,
        "first": lambda asked: predict(asked, fields(asked)),
        "changed": lambda asked: predict(asked, asked["row"]),
        "missing": lambda asked: predict(asked, asked["row"] | {"age": None}),
        "wrong": lambda asked: predict(asked, asked["row"] | {"size": None}),
    }
)
