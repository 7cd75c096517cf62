"""Which texts mean a missing value; the same in training and, by the manifest, in requests."""

from registry.package.manifest import TextRules
from trainer.spec import DataSetSpec

# What pandas reads as missing (`keep_default_na`), written out: a package must not depend on a
# release of pandas.
MISSING_TEXTS = frozenset(
    {
        *("", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    }
)


def text_rules(spec: DataSetSpec) -> TextRules:
    """Return how texts of this data set are read."""
    return TextRules(
        missing=tuple(sorted(MISSING_TEXTS.union(spec.missing))),
        missing_in={
            name: tuple(sorted(column.missing))
            for name, column in sorted(spec.columns.items())
            if column.missing
        },
        strip=spec.read.strip,
    )
