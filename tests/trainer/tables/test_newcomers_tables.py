"""Tables that data scientists meet every week: learned rightly, or refused for a reason."""

from collections.abc import Callable

import pytest
from support.newcomers import LEARNED, REFUSED, changed, rows, text

from trainer import DataError
from trainer.dataset import Dataset, load_dataset

Write = Callable[..., str]


@pytest.mark.parametrize("name", LEARNED)
def test_a_newcomers_table_is_learned_rightly(write: Write, name: str) -> None:
    content, kinds = LEARNED[name]
    data = load_dataset(write(content, target="price"))
    found = {column.name: column.kind for column in data.columns}
    expected = {"size": "numeric", "colour": "categorical", **kinds}
    assert {name: found[name] for name in expected} == expected
    assert _explained(data) > 0.85


def _explained(data: Dataset) -> float:
    """Return the R² of a small forest on the holdout."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(30, random_state=0)
    forest.fit(data.matrix(data.training), data.training.y)
    return float(forest.score(data.matrix(data.holdout), data.holdout.y))


@pytest.mark.parametrize(("content", "words"), REFUSED)
def test_what_could_be_learned_wrongly_is_refused(
    write: Write, content: str, words: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(write(content, target="price"))
    message = f"{caught.value} / {caught.value.hint}"
    assert all(word in message for word in words), message


def test_all_findings_come_in_one_message_with_the_lines_to_paste(write: Write) -> None:
    content = text(
        [
            [
                "?" if number == 3 else row[0],
                "x" if number == 5 else row[1],
                *row[2:3],
                "" if number == 7 else row[3],
            ]
            for number, row in enumerate(rows())
        ]
    )
    with pytest.raises(DataError) as caught:
        load_dataset(write(content, target="price"))
    message = str(caught.value)
    assert message.startswith("toy: 3 decisions are yours:")
    assert "column id: 119 of 120 cells are numbers; line 5 says '?'" in message
    assert "column size: 119 of 120 cells are numbers; line 7 says 'x'" in message
    assert "column price: 1 of 120 cells of the target are missing" in message
    assert 'drop = ["id", "size"]' in caught.value.hint
    assert 'target_gaps = "drop"' in caught.value.hint


def test_prose_is_left_out_with_the_line_that_keeps_it(write: Write) -> None:
    content = changed(2, lambda number, _: f"flat number {number % 110} with a door", 900)
    data = load_dataset(write(content, target="price"))
    assert "colour" not in [column.name for column in data.columns]
    note = 'colour: prose is not learned from; columns.colour.type = "text" learns its words'
    assert note in data.notes
    kept = load_dataset(write(content, '[columns.colour]\ntype = "text"', target="price"))
    assert "text" in {column.kind for column in kept.columns}
