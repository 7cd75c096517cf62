"""Refusals in the words of Kubernetes: `Status` objects."""

from collections.abc import Iterable
from http import HTTPStatus

from katib.endpoint.resources import Resource
from katib.lint.finding import Finding
from katib.objects import JsonObject


class Refusal(Exception):
    """A request is refused.

    Attributes:
        code: the HTTP status.
        reason: Kubernetes' word for the kind of refusal, which clients look at.
        details: which object it is about, and each cause.
    """

    def __init__(
        self, code: HTTPStatus, reason: str, message: str, details: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
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


def bad_request(message: str) -> Refusal:
    """Return the refusal of a request that makes no sense."""
    return Refusal(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def not_found(resource: Resource, name: str) -> Refusal:
    """Return the refusal of a request for an object that does not exist."""
    text = f'{resource.full_name} "{name}" not found'
    return _object_refusal(HTTPStatus.NOT_FOUND, "NotFound", text, resource, name)


def already_exists(resource: Resource, name: str, why: str) -> Refusal:
    """Return the refusal to create an object whose name is taken."""
    text = f'{resource.full_name} "{name}" already exists: {why}'
    return _object_refusal(HTTPStatus.CONFLICT, "AlreadyExists", text, resource, name)


def conflict(resource: Resource, name: str, why: str) -> Refusal:
    """Return the refusal of a change that something else prevents at the moment."""
    text = f'operation cannot be fulfilled on {resource.full_name} "{name}": {why}'
    return _object_refusal(HTTPStatus.CONFLICT, "Conflict", text, resource, name)


def not_allowed(resource: Resource, why: str) -> Refusal:
    """Return the refusal of a method that a resource does not have."""
    return Refusal(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        f"the server does not allow this method on {resource.full_name}: {why}",
    )


def invalid(resource: Resource, name: str, findings: Iterable[Finding]) -> Refusal:
    """Return the refusal of an object in which lint has found errors."""
    causes = [
        {
            "reason": "FieldValueInvalid",
            "message": f"{finding.code} {finding.message}{_fix_of(finding)}",
            "field": finding.field,
        }
        for finding in findings
    ]
    texts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    return _invalid(resource, name, texts, causes)


def impossible(resource: Resource, name: str, message: str) -> Refusal:
    """Return the refusal of an object that is well written and cannot be run here."""
    return _invalid(resource, name, [message], [])


def _invalid(
    resource: Resource, name: str, texts: list[str], causes: list[dict[str, str]]
) -> Refusal:
    text = texts[0]
    if len(texts) > 1:
        text = f"[{', '.join(texts)}]"
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid",
        f'{resource.kind}.{resource.group} "{name}" is invalid: {text}',
        {**object_details(resource, name), "kind": resource.kind, "causes": causes},
    )


def _fix_of(finding: Finding) -> str:
    return f" ({finding.fix})" if finding.fix else ""


def object_details(resource: Resource, name: str, uid: str = "") -> JsonObject:
    """Return which object a `Status` is about."""
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    if uid:
        details["uid"] = uid
    return details


def _object_refusal(
    code: HTTPStatus, reason: str, text: str, resource: Resource, name: str
) -> Refusal:
    return Refusal(code, reason, text, object_details(resource, name))
