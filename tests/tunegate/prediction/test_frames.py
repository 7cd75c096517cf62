"""A DataFrame's rows are predicted as the server would, or refused with all that is wrong."""

from dataclasses import replace

import pandas as pd
import pytest
from support.registry import toy_data

from registry.package import ModelPackage
from trainer.errors import DataError
from tunegate.errors import UsageError
from tunegate.prediction.frames import OutsideRange, PredictionColumns, predict_frame
from tunegate.study.model import Model


def frame(**columns: object) -> pd.DataFrame:
    rows = {
        "size": [50.0, 120.0],
        "age": [10.0, None],
        "region": ["north", "east"],
        "garden": [True, False],
    }
    return pd.DataFrame({**rows, **columns})


def message(package: ModelPackage, table: pd.DataFrame) -> str:
    with pytest.raises(DataError) as caught:
        predict_frame(package, table)
    assert caught.value.hint
    return str(caught.value)


def test_the_result_has_the_tables_index_and_the_packages_own_predictions(
    homes: ModelPackage,
) -> None:
    table = frame().set_axis(["b", "a"])
    result = predict_frame(homes, table)
    assert list(result.index) == ["b", "a"]
    assert list(result.columns) == ["predicted_price"]
    cells = {name: list(table[name].replace({float("nan"): None})) for name in table}
    assert result["predicted_price"].tolist() == homes.predict(cells)[:, 0].tolist()


def test_other_columns_and_another_order_change_nothing(homes: ModelPackage) -> None:
    plain = predict_frame(homes, frame())
    mixed = frame(id=[7, 8], price=[1.0, 2.0])[["id", "garden", "price", "age", "region", "size"]]
    assert predict_frame(homes, mixed).equals(plain)


def test_texts_are_read_as_training_read_them(homes: ModelPackage) -> None:
    texts = frame(
        size=["50", " 1.2e2"], age=["10.0", "NA"], garden=["yes", "False"], region=["north", "east"]
    )
    assert predict_frame(homes, texts).equals(predict_frame(homes, frame()))


def test_every_wrong_cell_is_in_one_message(homes: ModelPackage) -> None:
    wrong = frame(size=["big", "inf"], region=["north", "west"], garden=["maybe", None])
    said = message(homes, wrong)
    for part in (
        "column size, row 0: 'big' is not a number",
        "column size, row 1: not finite",
        "column region, row 1: 'west' is no category; there are east, north, south",
        "column garden, row 0: 'maybe' is not true or false",
        "column garden, row 1: no value, and training had no gap",
    ):
        assert part in said


def test_cells_with_one_problem_are_counted(homes: ModelPackage) -> None:
    said = message(homes, frame(region=["west", "west"]))
    assert "column region, row 0: 'west'" in said
    assert "(and 1 more)" in said


def test_a_number_that_float32_cannot_hold_is_refused(homes: ModelPackage) -> None:
    assert "column size, row 1: too large for float32" in message(homes, frame(size=[1.0, 1e39]))


def test_missing_columns_are_all_named(homes: ModelPackage) -> None:
    said = message(homes, frame().drop(columns=["size", "region"]))
    assert "no column size, region" in said


def test_a_column_that_is_there_twice_is_refused(homes: ModelPackage) -> None:
    twice = pd.concat([frame(), frame()[["size"]]], axis=1)
    assert "two columns are called size" in message(homes, twice)


def test_columns_are_found_by_the_names_that_training_gave_them(homes: ModelPackage) -> None:
    expected = Model(homes).predict(frame())
    sized = frame().set_index("size")
    assert Model(homes).predict(sized).tolist() == expected.tolist()
    assert Model(homes).predict(sized).index.equals(sized.index)
    twice = pd.concat([frame(), frame()[["size"]]], axis=1)
    with pytest.raises(DataError, match="two columns are called size"):
        Model(homes).predict(twice)
    columns = tuple(
        column.replace(name={"size": "size.1", "age": "0"}.get(column.name, column.name))
        for column in homes.manifest.columns
    )
    renamed = replace(homes, manifest=homes.manifest.replace(columns=columns, reference=()))
    odd = frame().rename(columns={"age": 0})
    odd.insert(0, "size", 1.0, allow_duplicates=True)
    assert Model(renamed).predict(odd).tolist() == expected.tolist()


def test_probabilities_and_classes(flowers: ModelPackage) -> None:
    table = toy_data.flowers(20, seed=3)
    result = predict_frame(flowers, table, PredictionColumns(probabilities=True))
    shares = result[["probability_a", "probability_b", "probability_c"]]
    assert shares.sum(axis=1).round(9).eq(1).all()
    assert result["predicted_kind"].tolist() == [
        name.removeprefix("probability_") for name in shares.idxmax(axis=1)
    ]


def test_the_interval_surrounds_the_prediction(homes: ModelPackage) -> None:
    result = predict_frame(homes, frame(), PredictionColumns(interval=True))
    assert (result["predicted_price_low"] < result["predicted_price"]).all()
    assert (result["predicted_price"] < result["predicted_price_high"]).all()


def test_what_the_model_does_not_give_is_refused(
    homes: ModelPackage, flowers: ModelPackage
) -> None:
    with pytest.raises(UsageError, match="no probabilities"):
        predict_frame(homes, frame(), PredictionColumns(probabilities=True))
    with pytest.raises(UsageError, match="no prediction interval"):
        predict_frame(flowers, toy_data.flowers(3), PredictionColumns(interval=True))


def test_kept_columns_come_first_as_they_are(homes: ModelPackage) -> None:
    result = predict_frame(homes, frame(id=["007", "8"]), PredictionColumns(keep=("id", "size")))
    assert list(result.columns) == ["id", "size", "predicted_price"]
    assert result["id"].tolist() == ["007", "8"]


def test_a_column_cannot_be_kept_that_is_absent_or_named_as_the_prediction(
    homes: ModelPackage,
) -> None:
    with pytest.raises(UsageError, match="cannot keep nr: no such column"):
        predict_frame(homes, frame(), PredictionColumns(keep=("nr",)))
    table = frame(predicted_price=[1, 2])
    with pytest.raises(UsageError, match="the prediction has this name"):
        predict_frame(homes, table, PredictionColumns(keep=("predicted_price",)))


def test_numbers_outside_of_trainings_range_are_predicted_and_counted(homes: ModelPackage) -> None:
    outside = OutsideRange()
    for size in (1e6, 30.0, -5.0):
        predict_frame(homes, frame(size=[size, 50.0]), outside=outside)
    assert outside.counts == {"size": 2}


def test_a_table_without_rows_has_no_predictions(
    homes: ModelPackage, flowers: ModelPackage
) -> None:
    assert len(predict_frame(homes, frame().iloc[:0])) == 0
    assert len(predict_frame(flowers, toy_data.flowers(3).iloc[:0])) == 0
