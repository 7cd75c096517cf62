"""Write to people on stderr: colours and bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from promote.explanation import power_text
from promote.verdict import ColumnDrift, Comparison, Finalist, Verdict, best_finalist
from registry.metric_names import loss_name, loss_text, readable_number
from registry.package import find_metric
from registry.shadow import ShadowEvidence
from tunegate.output import elapsed_text, emit, say

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
        if not line and self.total and self.done < self.total:
            line = self._quarter_line()
        if self.progress and self.task is not None:
            self.progress.update(
                self.task, advance=1, description=f"{self.title} {escape(text)}".strip()
            )
            self.progress.refresh()
        elif line:
            say(line)

    def _quarter_line(self) -> str:
        """Return what a log says after each quarter of the steps; otherwise nothing."""
        total = self.total or 1
        if 4 * self.done // total == 4 * (self.done - 1) // total:
            return ""
        return f"{self.title}: {self.done} of {total}"


@contextmanager
def steps(title: str, total: int | None) -> Iterator[Steps]:
    """Show progress while the block runs, and how long it took; no thread, as the gate forks."""
    began = time.monotonic()
    with _shown_steps(title, total) as shown:
        yield shown
    say(f"{title} took {elapsed_text(time.monotonic() - began)}")


@contextmanager
def _shown_steps(title: str, total: int | None) -> Iterator[Steps]:
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
    loss = find_metric(verdict.metric).loss if verdict.metric else ""
    if verdict.finalists:
        yield finalists_line(verdict.finalists, loss)
    first = verdict.kind != "promotion"  # then there is no champion to compare with
    name = loss_name(loss) if loss else "loss"
    if verdict.recipe and verdict.candidate:
        other = "the library's defaults" if first else "the champion"
        yield f"{name} on fresh folds: {_comparison_text(verdict.recipe, other, loss)}"
        if not first and verdict.mode == "two-key":
            yield power_text(verdict.recipe, verdict.least_recipe)
        share = (verdict.policy.folds - 1) / verdict.policy.folds
        yield (
            f"both numbers are of models fitted on {share:.0%} of the training rows; the package "
            "is fitted on all of them, and mostly a little better"
        )
    if verdict.holdout:
        other = "a model without inputs" if first else "the champion"
        yield f"{name} on the holdout: {_comparison_text(verdict.holdout, other, loss)}"
    if verdict.drift:
        yield drift_line(verdict.drift)
    if verdict.shadow:
        yield shadow_line(verdict.shadow)


def _comparison_text(found: Comparison, other: str, loss: str) -> str:
    return (
        f"{loss_text(loss, found.candidate)}, {other} {loss_text(loss, found.champion)}; "
        f"gain {readable_number(found.gain, 3)}, 90 % interval {readable_number(found.low, 3)} "
        f"to {readable_number(found.high, 3)} ({found.rows} rows)"
    )


def finalists_line(finalists: Sequence[Finalist], loss: str) -> str:
    """Return how the candidate was chosen, as a sentence."""
    place = best_finalist(finalists)
    best = finalists[0]
    chosen = finalists[place]
    found = (
        f"the best of {len(finalists)} finalists on folds of their own: "
        f"{chosen.trial}, loss {loss_text(loss, chosen.loss)}"
    )
    if chosen is best:
        return found
    return f"{found}; the search's best, {best.trial}: {loss_text(loss, best.loss)}"


def drift_line(drift: Sequence[ColumnDrift]) -> str:
    """Return how many columns have moved, and which the most, as a sentence."""
    moved = [each for each in drift if each.has_moved]
    found = f"{len(moved)} of {len(drift)} columns have moved since the champion was trained"
    if not moved:
        return found
    return f"{found}: {', '.join(f'{each.column} (PSI {each.psi:.2f})' for each in moved[:5])}"


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
