"""Shadow mode: a candidate also answers a share of the real requests; clients never see that.

`Shadow` configures it, `ShadowStatus` reports it. The report does not say which model is right,
only how much the two differ on current requests.
"""

from typing import Annotated

from msgspec import Meta

from registry.package.manifest import Manifest
from registry.record import Count, Record, Sha256, Share


class Shadow(Record, frozen=True, kw_only=True):
    """Contents of `pointers/<model>.shadow.json`: the candidate, and its share of the requests."""

    model: str
    sha256: Sha256
    share: Annotated[float, Meta(gt=0, le=1)]


class NumberDifferences(Record, frozen=True, kw_only=True):
    """How a regression's candidate differs: its prediction minus the champion's, the target's unit.

    Attributes:
        mean: of the differences.
        mean_absolute: of their absolute values.
        root_mean_square: of the differences.
        largest: absolute value.
        outside: share of the candidate's predictions outside of the champion's prediction interval;
            None if the champion states none.
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
    """One candidate compared with one champion, by all workers, since the server started.

    Attributes:
        champion: sha256 of the package that served.
        candidate: sha256 of the package in shadow mode.
        rows: number of rows compared.
        dropped: rows not compared, because too many were waiting.
        failed: rows for which the candidate had no answer, or none that can be compared.
        numbers: for a regression; None if no row was compared.
        classes: for a classification; None if no row was compared.
    """

    champion: Sha256
    candidate: Sha256
    rows: Count
    dropped: Count
    failed: Count
    numbers: NumberDifferences | None = None
    classes: ClassDifferences | None = None


class ShadowStatus(Record, frozen=True, kw_only=True):
    """A server's report on a model's shadow mode.

    Attributes:
        candidate: sha256 of the package in shadow mode; None if there is none, or it was refused.
        share: of the requests.
        refused: why the configured shadow does not run, or is not compared with the champion.
        seen: the comparison; None without a candidate.
    """

    model: str
    champion: Sha256
    candidate: Sha256 | None = None
    share: Share | None = None
    refused: str | None = None
    seen: ShadowEvidence | None = None


def comparison_obstacle(champion: Manifest, candidate: Manifest) -> str:
    """Return why a candidate cannot be compared on the champion's encoded rows; "" if it can."""
    fields = ("name", "task", "target", "classes")
    differing = [field for field in fields if getattr(champion, field) != getattr(candidate, field)]
    if [(c.name, c.kind, c.categories) for c in champion.columns] != [
        (c.name, c.kind, c.categories) for c in candidate.columns
    ]:
        differing.append("columns")
    if differing:
        return f"the candidate differs from the champion in {', '.join(differing)}"
    return ""
