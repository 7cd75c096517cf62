from pandas._libs.parsers import STR_NA_VALUES

from trainer.text_rules import MISSING_TEXTS


def test_missing_texts_are_those_of_pandas() -> None:
    assert MISSING_TEXTS == STR_NA_VALUES
