"""Texts that Kubernetes takes only in one form: names, labels, quantities, images.

Source: Kubernetes v1.34, apimachinery/pkg/util/validation and apimachinery/pkg/api/resource;
distribution/reference for images.
"""

import re
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath

LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PART = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
PORT_NAME = re.compile(r"(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", re.ASCII)
ENV_NAME = re.compile(r"[A-Za-z_.-][\w.-]*", re.ASCII)
CONFIG_KEY = re.compile(r"[-.\w]{1,253}", re.ASCII)
QUANTITY = re.compile(
    r"(?P<number>[+-]?([0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+|)"
)
HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
IMAGE = re.compile(
    rf"((?:{HOST_PART}(?:\.{HOST_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
DIGEST = re.compile(r"[0-9a-f]{64}")  # what identifies an image, and no name of one
MOST_DNS = 253
POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def is_label_name(text: str) -> bool:
    """Whether it is an RFC 1123 label, as names of containers and volumes are."""
    return bool(LABEL_NAME.fullmatch(text))


def is_subdomain(text: str) -> bool:
    """Whether it is an RFC 1123 subdomain, as names of most objects are."""
    return len(text) <= MOST_DNS and all(PART.fullmatch(part) for part in text.split("."))


def is_qualified_name(text: str) -> bool:
    """Whether it is the key of a label: `name` or `prefix/name`."""
    prefix, slash, name = text.rpartition("/")
    return bool(QUALIFIED.fullmatch(name)) and (not slash or is_subdomain(prefix))


def is_label_value(text: str) -> bool:
    """Whether it is the value of a label."""
    return bool(LABEL_VALUE.fullmatch(text))


def is_port_name(text: str) -> bool:
    """Whether it is the name of a port: up to 15 letters, digits and '-', one letter at least."""
    return bool(PORT_NAME.fullmatch(text)) and any(letter.isalpha() for letter in text)


def is_env_name(text: str) -> bool:
    """Whether every version of Kubernetes, and a shell's environment, take it for a variable."""
    return bool(ENV_NAME.fullmatch(text)) and text not in {".", ".."} and not text.startswith("..")


def is_config_key(text: str) -> bool:
    """Whether it is a key of a ConfigMap or a Secret."""
    return bool(CONFIG_KEY.fullmatch(text)) and text != "." and not text.startswith("..")


def is_image(text: str) -> bool:
    """Whether a container runtime takes it for the address of an image."""
    return bool(IMAGE.fullmatch(text)) and not DIGEST.fullmatch(text)


def read_quantity(value: object) -> Decimal | None:
    """Return a quantity's number, None if Kubernetes does not read it as one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = QUANTITY.fullmatch(str(value).strip(" \t\r\n"))
    if found is None:
        return None
    number = Decimal(found["number"])
    suffix = found["suffix"]
    if suffix in POWERS:
        return number.scaleb(POWERS[suffix])
    if suffix in BINARY:
        return number * Decimal(1024) ** BINARY[suffix]
    try:
        return number * Decimal(f"1{suffix}")
    except InvalidOperation:  # an exponent that no machine has
        return None


def climbs(path: str) -> bool:
    """Whether a path has `..` among its parts."""
    return ".." in PurePosixPath(path).parts


def has_placeholder(value: object) -> bool:
    """Whether a text holds a placeholder, so that its final form is not known."""
    return "${" in str(value)
