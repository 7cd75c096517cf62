"""Write to people on stderr: colours and bars on a terminal, plain lines elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from promote.verdict import Comparison, Finalist, Verdict, best_finalist
from registry.shadow import ShadowEvidence
from tunegate.output import emit, say

__all__ = [
    "Steps",
    "console",
    "emit",
    "evidence_lines",
    "say",
    "shadow_line",
    "show_verdict",
    "steps",
]

console = Console(stderr=True, highlight=False, soft_wrap=True)
COLOURS = {"promote": "green", "keep": "yellow", "hold": "yellow", "refuse": "red"}


class Steps:
    """Shows the progress of something that takes over a second."""

    def __init__(self, progress: Progress | None, title: str, total: int | None) -> None:
        self.progress = progress
        self.title = title
        self.total = total
        self.done = 0
        self.task = progress.add_task(title, total=total) if progress else None

    def step(self, text: str = "", *, line: str = "") -> None:
        """Count one step; `text` is shown next to a bar, `line` printed without a terminal."""
        self.done += 1
        if self.progress and self.task is not None:
            self.progress.update(
                self.task, advance=1, description=f"{self.title} {escape(text)}".strip()
            )
            self.progress.refresh()
        elif line:
            say(line)


@contextmanager
def steps(title: str, total: int | None) -> Iterator[Steps]:
    """Show progress while the block runs, without a thread, since the gate forks."""
    if not console.is_terminal:
        say(title + " ...")
        yield Steps(None, title, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        shown = Steps(progress, title, total)
        progress.refresh()
        yield shown


def show_verdict(verdict: Verdict) -> None:
    """Print the checks as a table, then the verdict with its reasons."""
    table = Table(title=None, box=None, padding=(0, 2, 0, 0))
    for name in ("", "check", "found"):
        table.add_column(name, overflow="fold")
    for check in verdict.checks:
        if check.passed:
            mark = "[green]ok[/]"
        else:
            mark = f"[{COLOURS[check.otherwise]}]{check.otherwise}[/]"
        table.add_row(mark, escape(check.name), escape(check.detail))
    console.print(table)
    for line in evidence_lines(verdict):
        say(line)
    colour = COLOURS[verdict.verdict]
    console.print(f"[bold {colour}]{verdict.verdict}[/]: {escape('; '.join(verdict.reasons))}")


def evidence_lines(verdict: Verdict) -> Iterator[str]:
    """Yield the verdict's comparisons as sentences."""
    if verdict.finalists:
        yield finalists_line(verdict.finalists)
    first = verdict.kind != "promotion"  # then there is no champion to compare with
    if verdict.recipe and verdict.candidate:
        other = "the library's defaults" if first else "the champion"
        yield f"{verdict.metric} loss on fresh folds: {_comparison_text(verdict.recipe, other)}"
    if verdict.holdout:
        other = "a model without inputs" if first else "the champion"
        yield f"{verdict.metric} loss on the holdout: {_comparison_text(verdict.holdout, other)}"
    if verdict.shadow:
        yield shadow_line(verdict.shadow)


def _comparison_text(found: Comparison, other: str) -> str:
    return (
        f"{found.candidate:.4g}, {other} {found.champion:.4g}; gain {found.gain:.3g}, "
        f"90 % interval {found.low:.3g} to {found.high:.3g} ({found.rows} rows)"
    )


def finalists_line(finalists: Sequence[Finalist]) -> str:
    """Return how the candidate was chosen, as a sentence."""
    place = best_finalist(finalists)
    best = finalists[0]
    chosen = finalists[place]
    found = (
        f"the best of {len(finalists)} finalists on folds of their own: "
        f"{chosen.trial}, loss {chosen.loss:.4g}"
    )
    if chosen is best:
        return found
    return f"{found}; the search's best, {best.trial}: {best.loss:.4g}"


def shadow_line(seen: ShadowEvidence) -> str:
    """Return a shadow's evidence as a sentence."""
    found = (
        f"shadow: {seen.rows} rows of real requests compared, "
        f"{seen.dropped} dropped, {seen.failed} failed"
    )
    if numbers := seen.numbers:
        found += (
            f"; candidate minus champion {numbers.mean:+.4g} on average, "
            f"absolute {numbers.mean_absolute:.4g}, at most {numbers.largest:.4g}"
        )
        if numbers.outside is not None:
            found += f"; {numbers.outside:.1%} outside the champion's prediction interval"
    if classes := seen.classes:
        found += (
            f"; another class in {classes.disagreeing:.1%}, "
            f"a class's share differs by {classes.mean_absolute:.3g} on average"
        )
    return found
