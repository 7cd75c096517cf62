"""Refusals in the words of Kubernetes: `Status` objects."""

from collections.abc import Iterable
from http import HTTPStatus

from katib.endpoint.resources import Resource
from katib.lint.finding import Finding
from katib.objects import JsonObject

REASONS = {  # Kubernetes' words for kinds of refusals, which clients look at
    HTTPStatus.GONE: "Expired",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Invalid",
}


class Refusal(Exception):
    """A request is refused.

    Attributes:
        code: the HTTP status.
        reason: Kubernetes' word for it, which clients look at; that of the status if empty.
        details: which object it is about, and each cause.
    """

    def __init__(
        self, code: HTTPStatus, message: str, *, reason: str = "", details: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or REASONS.get(code) or code.phrase.title().replace(" ", "")
        self.details = details or {}

    def to_status(self) -> JsonObject:
        """Return the `Status` object of the answer."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "details": self.details,
            "code": int(self.code),
        }


def object_details(resource: Resource, name: str, **more: object) -> JsonObject:
    """Return which object a `Status` is about."""
    return {"name": name, "group": resource.group, "kind": resource.plural, **more}


def bad_request(message: str) -> Refusal:
    """Return the refusal of a request that makes no sense."""
    return Refusal(HTTPStatus.BAD_REQUEST, message)


def not_found(resource: Resource, name: str) -> Refusal:
    """Return the refusal of a request for an object that does not exist."""
    text = f'{resource.full_name} "{name}" not found'
    return Refusal(HTTPStatus.NOT_FOUND, text, details=object_details(resource, name))


def conflict(resource: Resource, name: str, why: str, reason: str = "") -> Refusal:
    """Return the refusal of a change that another object or process prevents."""
    text = f'operation cannot be fulfilled on {resource.full_name} "{name}": {why}'
    if reason == "AlreadyExists":
        text = f'{resource.full_name} "{name}" already exists: {why}'
    details = object_details(resource, name)
    return Refusal(HTTPStatus.CONFLICT, text, reason=reason, details=details)


def invalid(
    resource: Resource, name: str, findings: Iterable[Finding], message: str = ""
) -> Refusal:
    """Return the refusal of an object, with lint's errors, or with why it cannot be run here."""
    causes = [
        {
            "reason": "FieldValueInvalid",
            "message": f"{each.code} {each.message}" + (f" ({each.fix})" if each.fix else ""),
            "field": each.field,
        }
        for each in findings
    ]
    texts = [f"{cause['field']}: {cause['message']}" for cause in causes] or [message]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f'{resource.kind}.{resource.group} "{name}" is invalid: {text}',
        details=object_details(resource, name, causes=causes) | {"kind": resource.kind},
    )
