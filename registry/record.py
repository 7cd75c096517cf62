"""The base class of all that is stored as JSON: immutable, checked when read and when written.

It uses msgspec because servers read such records, and pydantic would cost a seventh of a server's
memory and a quarter of its start.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

JsonObject = dict[str, Any]
# The end of a text. For Python, `$` alone also matches before a last line break.
END = r"$(?!\n)"
Sha256 = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
ERROR_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)  # how msgspec ends an error
Aware = Annotated[datetime, Meta(tz=True)]


class InvalidRecord(ValueError):
    """What was read is not such a record; the message begins with the field."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields of stated types and no others, all numbers finite. The constructor does not check."""

    @classmethod
    def parse(cls, text: bytes | str) -> Self:
        """Read JSON.

        Raises:
            InvalidRecord: when the text is not JSON, a field is missing, unknown or of another
                type, or a value is not allowed.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except (ValueError, RecursionError) as error:
            raise _invalid_record(error) from error

    @classmethod
    def checked(cls, fields: Mapping[str, object]) -> Self:
        """Make a record from fields whose types were not checked; raises as `parse` does."""
        try:
            found = msgspec.convert(fields, cls)
        except (ValueError, RecursionError) as error:
            raise _invalid_record(error) from error
        found.to_json()
        return found

    def to_json(self, *, indent: int = 0) -> bytes:
        """Return JSON; the same record gives the same bytes.

        Raises:
            InvalidRecord: when reading it would give another record, such as for a number that is
                not finite.
        """
        try:
            text = msgspec.json.encode(self.to_dict())
        except TypeError as error:  # numpy's numbers, most likely
            raise InvalidRecord(f"{type(self).__name__}: {error}") from error
        if self.parse(text) != self:
            raise InvalidRecord(f"{type(self).__name__} holds what JSON cannot: {text[:200]!r}")
        if indent:
            return msgspec.json.format(text, indent=indent)
        return text

    def to_dict(self) -> JsonObject:
        """Return the fields as JSON has them, except that tuples stay tuples."""
        fields: JsonObject = msgspec.to_builtins(self)
        return fields

    @classmethod
    def shared_with(cls, other: object) -> dict[str, Any]:
        """Return the values of the fields that another object has under the same names."""
        return {
            name: getattr(other, name) for name in cls.__struct_fields__ if hasattr(other, name)
        }

    def replace(self, **changes: object) -> Self:
        """Return a copy with other values in some fields."""
        return msgspec.structs.replace(self, **changes)


def split_error(error: Exception) -> tuple[str, str]:
    """Return the field that an error of msgspec is about ("" for none) and what is wrong."""
    found = ERROR_PLACE.fullmatch(str(error))
    if found:
        return found[2], found[1]
    return "", str(error)


def _invalid_record(error: Exception) -> InvalidRecord:
    return InvalidRecord(": ".join(filter(None, split_error(error))))
