"""The code blocks of a page, so that tests run what people copy."""

import re
from pathlib import Path


def blocks(page: Path, language: str) -> list[str]:
    """Return all blocks of a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def block(page: Path, language: str, number: int) -> str:
    """Return one block, by its place among those of its language."""
    return blocks(page, language)[number]
