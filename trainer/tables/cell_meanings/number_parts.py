"""Takes numbers as people write them apart: sign, currency, digits, exponent, unit."""

import pyarrow as pa
import pyarrow.compute as pc

# Before a number only a currency may stand: "c105" and "A1" are names.
_CURRENCY = (
    r"(?:[A-Z]{0,3}[$€£¥₹₽₩₺₫₪₱]|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF"
    r"|BRL|MXN|ZAR|RUB|TRY|KRW|SGD|HKD|Fr\.|Rs\.?|kr\.?)"
)
_PARTS = (
    rf"^(?P<open>\()?(?P<sign>[+-])?\s*(?P<currency>{_CURRENCY})?\s*(?P<inner>[+-])?"
    r"(?P<body>(?:\d[\d., ']*)?\d[.,]?|[.,]\d+)(?P<exponent>[eE][+-]?\d{1,3})?"
    r"(?P<back>-)?\s*(?P<unit>[^\s\d()+\-.,;:/'\"<>=][^\d()+;:\"<>=]{0,19})?(?P<close>\))?$"
)
_LONGEST = 18  # digits of an integer; what is longer names something, and float64 would round it
_GROUPS = r"[1-9]\d{0,2}(?:[%s]\d{3})+"
_DIGITS = r"(?:\d+|%s)"
# What a number may look like where the decimal mark is known: groups of three, if there are any.
_DOT_GROUPS = _GROUPS % ", '"
_COMMA_GROUPS = _GROUPS % ". '"
NUMBER_FORMS: dict[str, str] = {
    ".": rf"^(?:(?:\d+|{_DOT_GROUPS})(?:\.\d*)?|\.\d+)$",
    ",": rf"^(?:(?:\d+|{_COMMA_GROUPS})(?:,\d*)?|,\d+)$",
}


def number_bodies(texts: pa.Array) -> pa.Array:
    """Return the digits and marks of each text that is a number; null for others."""
    return split_numbers(texts).field("body")


def split_numbers(texts: pa.Array) -> pa.StructArray:
    """Take texts apart; all parts are null for what is no number."""
    plain = pc.replace_substring_regex(texts, "[\u00a0\u2007\u2009\u202f]", " ")
    plain = pc.replace_substring_regex(plain, "[\u2212\u2013]", "-")
    plain = pc.replace_substring_regex(plain, "[\u2019`\u00b4]", "'")
    parts = pc.extract_regex(plain, _PARTS)
    body = parts.field("body")
    bracketed = pc.equal(
        pc.not_equal(parts.field("open"), ""), pc.not_equal(parts.field("close"), "")
    )
    number = pc.or_(
        pc.match_substring_regex(body, NUMBER_FORMS["."]),
        pc.match_substring_regex(body, NUMBER_FORMS[","]),
    )
    short = pc.invert(pc.match_substring_regex(body, rf"^\d{{{_LONGEST + 1},}}$"))
    # "3.-" is Swiss for 3.00.
    signed = pc.invert(
        pc.and_(pc.not_equal(parts.field("back"), ""), pc.match_substring_regex(body, "[.,]$"))
    )
    valid = pc.and_(pc.and_(bracketed, number), pc.and_(short, signed))
    valid = pc.fill_null(pc.and_(parts.is_valid(), valid), fill_value=False)
    none = pa.scalar(None, pa.string())
    names = [field.name for field in parts.type]
    fields = [pc.if_else(valid, parts.field(name), none) for name in names]
    return pa.StructArray.from_arrays(fields, names)
