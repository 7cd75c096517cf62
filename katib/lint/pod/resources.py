"""Kubernetes' rules for the resources that a container requests."""

from collections.abc import Iterator
from decimal import Decimal

from katib.document import Document, FieldPath
from katib.lint.pod.texts import has_placeholder, is_qualified_name, read_quantity
from katib.lint.violation import Violation
from katib.objects import JsonObject

NATIVE = ("cpu", "memory", "ephemeral-storage")
BYTES = ("memory", "ephemeral-storage")
HUGE_PAGES = "hugepages-"
LEAST_CPU = Decimal("0.001")
LEAST_BYTES = 1024 * 1024  # fewer are a slip of the pen, such as m for M


def check_resources(document: Document, path: FieldPath) -> Iterator[Violation]:
    """Yield every violation in a container's resources."""
    amounts: dict[str, dict[str, Decimal]] = {}
    for group in ("requests", "limits"):
        listed = document.get(*path, group)
        fields: JsonObject = listed if isinstance(listed, dict) else {}
        amounts[group] = {}
        for name, value in fields.items():
            at = (*path, group, str(name))
            yield from _check_name(at, str(name))
            if has_placeholder(value):
                continue
            number = read_quantity(value)
            if number is None:
                message = f"{value!r} is no quantity, such as 500m, 2 or 4Gi"
                yield Violation("K283", at, message, _unit_hint(str(value)))
                continue
            amounts[group][str(name)] = number
            yield from _check_amount(at, str(name), value, number)
    yield from _check_limits(path, amounts)
    yield from _check_huge_pages(path, amounts)


def _check_name(path: FieldPath, name: str) -> Iterator[Violation]:
    if name in NATIVE or name.startswith(HUGE_PAGES):
        return
    fix = f"known: {', '.join(NATIVE)}"
    if name.lower() in {"gpu", "gpus", "nvidia"}:
        fix = "did you mean nvidia.com/gpu?"
    if "/" not in name:
        message = f"{name} is no resource: others than Kubernetes' own have a domain in front"
        yield Violation("K292", path, message, fix)
    elif not is_qualified_name(name) or name.startswith("requests."):
        yield Violation("K292", path, f"{name!r} is no name of a resource")


def _check_amount(
    path: FieldPath, name: str, value: object, number: Decimal
) -> Iterator[Violation]:
    if number < 0:
        yield Violation("K283", path, f"must not be negative, is {value}")
    elif name in BYTES and 0 < number < LEAST_BYTES:
        message = f"{value} are {number.normalize():f} bytes: no container can start"
        fix = (
            "write M or Mi for megabytes" if str(value).endswith("m") else "write a unit, as in 2Gi"
        )
        yield Violation("K283", path, message, fix)
    elif name == "cpu" and 0 < number < LEAST_CPU:
        yield Violation("K283", path, f"{value} is less than 1m, the least")
    elif "/" in name and number != number.to_integral_value():
        yield Violation("K283", path, f"must be whole, is {value}")


def _check_limits(path: FieldPath, amounts: dict[str, dict[str, Decimal]]) -> Iterator[Violation]:
    limits = amounts["limits"]
    for name, requested in amounts["requests"].items():
        at = (*path, "requests", name)
        is_shared = name in NATIVE
        if name not in limits:
            if not is_shared:
                message = f"{name} needs the same limit"
                yield Violation("K284", at, message, f"add limits.{name}")
        elif requested > limits[name]:
            message = f"is above the limit of {name}"
            yield Violation("K284", at, message, "lower it, or raise the limit")
        elif not is_shared and requested != limits[name]:
            yield Violation("K284", at, f"must equal the limit of {name}")


def _check_huge_pages(
    path: FieldPath, amounts: dict[str, dict[str, Decimal]]
) -> Iterator[Violation]:
    for group, listed in amounts.items():
        for name, number in listed.items():
            if not name.startswith(HUGE_PAGES):
                continue
            size = read_quantity(name.removeprefix(HUGE_PAGES))
            if not size or number % size:
                yield Violation("K283", (*path, group, name), f"must be a multiple of {name}")
            elif not {"cpu", "memory"} & {*amounts["requests"], *amounts["limits"]}:
                message = "huge pages need an amount of cpu or memory next to them"
                yield Violation("K284", (*path, group, name), message, f"add {group}.memory")


def _unit_hint(value: str) -> str:
    """Return what a unit in another spelling is called."""
    text = value.strip()
    for end, unit in (
        ("GB", "G"),
        ("MB", "M"),
        ("KB", "k"),
        ("gb", "G"),
        ("mb", "M"),
        ("GiB", "Gi"),
        ("MiB", "Mi"),
        ("g", "G"),
        ("gi", "Gi"),
        ("mi", "Mi"),
        ("K", "k"),
    ):
        if text.endswith(end) and text.removesuffix(end).strip().replace(".", "").isdigit():
            return f"write {text.removesuffix(end).strip()}{unit}"
    return ""
