"""What is said of several columns at once, and of prose."""

from collections.abc import Callable

import pytest
from support.cases import cases

from trainer import DataError
from trainer.dataset import load_dataset

Write = Callable[..., str]


def plain_cells(name: str = "plain") -> list[list[str]]:
    content = cases()[name].content
    assert isinstance(content, str)
    return [line.split(",") for line in content.splitlines()]


def text(cells: list[list[str]]) -> str:
    return "\n".join(map(",".join, cells)) + "\n"


def test_all_findings_come_in_one_message_with_the_lines_to_paste(write: Write) -> None:
    cells = plain_cells()
    cells[4][0] = "?"
    cells[6][1] = "x"
    cells[8][3] = ""
    with pytest.raises(DataError) as caught:
        load_dataset(write(text(cells), target="price"))
    message = str(caught.value)
    assert message.startswith("toy: 3 decisions are yours:")
    assert "column id: 59 of 60 cells are numbers; line 5 says '?'" in message
    assert "column size: 59 of 60 cells are numbers; line 7 says 'x'" in message
    assert "column price: 1 of 60 cells of the target are missing" in message
    assert 'drop = ["id", "size"]' in caught.value.hint
    assert 'target_gaps = "drop"' in caught.value.hint


def test_prose_is_left_out_with_the_line_that_keeps_it(write: Write) -> None:
    cells = plain_cells("high_card")
    for number, row in enumerate(cells[1:]):
        row[2] = f"flat number {number % 110} with a door"
    data = load_dataset(write(text(cells), target="price"))
    assert "colour" not in [column.name for column in data.columns]
    note = 'colour: prose is not learned from; columns.colour.type = "text" learns its words'
    assert note in data.notes
    kept = load_dataset(write(text(cells), '[columns.colour]\ntype = "text"', target="price"))
    assert "text" in {column.kind for column in kept.columns}
