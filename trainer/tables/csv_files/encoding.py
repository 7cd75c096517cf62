"""Finds out how a text file's characters are written."""

import codecs

from trainer.errors import DataError

# The most specific first: UTF-32's mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF8 = "utf-8-sig"  # takes a byte order mark off, if there is one
# Of Western European programs, Excel's CSV among them; it differs from latin-1 in quotes and €.
FALLBACK = "cp1252"
_NUL_SHARE = 0.2


def find_encoding(head: bytes, stated: str, label: str) -> str:
    """Return a text's encoding by its first bytes.

    UTF-8 is taken where the bytes are valid UTF-8, UTF-16 where a mark or the zero bytes of Latin
    letters tell it, and else `FALLBACK`.

    Raises:
        DataError: when the stated encoding is unknown, or the bytes are no text.
    """
    if stated:
        return _known_encoding(stated, label)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\x00" in head:
        return _encoding_with_nul(head, label)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return FALLBACK
    return UTF8


def fits(head: bytes, encoding: str) -> bool:
    """Tell whether bytes can be read in an encoding; the last character may be cut off."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _known_encoding(stated: str, label: str) -> str:
    try:
        name = codecs.lookup(stated).name
    except LookupError as error:
        raise DataError(
            f"{label}: read.encoding = {stated!r} is unknown",
            hint="choose from: utf-8, utf-16, cp1252, latin-1, and others that Python knows",
        ) from error
    if name == "utf-8":
        return UTF8
    return name


def _encoding_with_nul(head: bytes, label: str) -> str:
    even = head[::2].count(0) / max(1, len(head[::2]))
    odd = head[1::2].count(0) / max(1, len(head[1::2]))
    if odd > _NUL_SHARE > even:
        return "utf-16-le"
    if even > _NUL_SHARE > odd:
        return "utf-16-be"
    line = head[: head.index(0)].count(b"\n") + 1
    raise DataError(
        f"{label}: not a text: line {line} holds a zero byte",
        hint="the file is damaged or of another format: export it again, as CSV in UTF-8",
    )
