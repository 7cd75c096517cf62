"""Shadow mode: a candidate answers a share of real requests beside the champion, and nobody is given its answers.

What a server is told of it (`Shadow`), and what a server tells of it (`ShadowStatus`). There is no truth in it, only
how much the two differ on rows that come in now.
"""

from typing import Annotated

from msgspec import Meta

from registry.package.manifest import Manifest
from registry.record import Count, Record, Sha256, Share


class Shadow(Record, frozen=True, kw_only=True):
    """Contents of `pointers/<model>.shadow.json`: which package is asked silently, for what share of the requests."""

    model: str
    sha256: Sha256
    share: Annotated[float, Meta(gt=0, le=1)]


class NumberDifferences(Record, frozen=True, kw_only=True):
    """How a regression's candidate differs: its prediction minus the champion's, in the target's unit.

    Attributes:
        mean: of the differences.
        mean_absolute: of their absolute values.
        root_mean_square: of the differences.
        largest: absolute value.
        outside: share of the candidate's predictions outside of the champion's prediction interval; None where the
            champion states none.
    """

    mean: float
    mean_absolute: float
    root_mean_square: float
    largest: float
    outside: Share | None = None


class ClassDifferences(Record, frozen=True, kw_only=True):
    """How a classification's candidate differs.

    Attributes:
        disagreeing: share of rows whose likeliest class is another.
        mean_absolute: difference of a class's share, mean over rows and classes.
        largest: a row's mean over its classes, at most.
    """

    disagreeing: Share
    mean_absolute: float
    largest: float


class ShadowEvidence(Record, frozen=True, kw_only=True):
    """What has been counted of one candidate beside one champion, since the server started, by all of its workers.

    Attributes:
        champion: sha256 of what was served.
        rows: compared.
        dropped: rows not compared as too many were waiting.
        failed: rows for which the candidate had no answer, or none that can be compared.
        numbers: of a regression; None where no row was compared.
        classes: of a classification; None where no row was compared.
    """

    champion: Sha256
    candidate: Sha256
    rows: Count
    dropped: Count
    failed: Count
    numbers: NumberDifferences | None = None
    classes: ClassDifferences | None = None


class ShadowStatus(Record, frozen=True, kw_only=True):
    """What a server says of a model's shadow.

    Attributes:
        candidate: sha256 of the package that is asked silently; None where none is, or it was refused.
        share: of the requests.
        refused: why the shadow that is wanted does not run, or is not compared with what serves now.
        seen: None without a candidate.
    """

    model: str
    champion: Sha256
    candidate: Sha256 | None = None
    share: Share | None = None
    refused: str | None = None
    seen: ShadowEvidence | None = None


def comparison_obstacle(champion: Manifest, candidate: Manifest) -> str:
    """Say why a candidate cannot be given the champion's encoded rows and be compared with it; "" where it can."""
    fields = ("name", "task", "target", "classes")
    differing = [field for field in fields if getattr(champion, field) != getattr(candidate, field)]
    if [(c.name, c.kind, c.categories) for c in champion.columns] != [
        (c.name, c.kind, c.categories) for c in candidate.columns
    ]:
        differing.append("columns")
    if differing:
        return f"the candidate differs from the champion in {', '.join(differing)}"
    return ""
