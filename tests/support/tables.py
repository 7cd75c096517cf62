"""Tables as people bring them, made up, each with what has to be decided about it.

The columns are those of well-known public tables; the values are random.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

Random = np.random.Generator
ROWS = (120, 400, 1500)


@dataclass(frozen=True, eq=False)
class MadeTable:
    """A table, and what is right.

    Attributes:
        name: for the test's id.
        frame: the table.
        target: the column to predict.
        task: what the target asks for.
        dropped: columns that a rule has to drop, and no others.
        suspicious: columns that have to be kept and reported, and no others.
        missing: texts that mean missing, by column.
        dates: columns with dates.
    """

    name: str
    frame: pd.DataFrame
    target: str
    task: str
    dropped: frozenset[str] = frozenset()
    suspicious: frozenset[str] = frozenset()
    missing: dict[str, set[str]] = field(default_factory=dict)
    dates: tuple[str, ...] = ()


def titanic_like(rows: int, rng: Random) -> MadeTable:
    """Passengers: a count, names, tickets and a few cabins."""
    sex = rng.choice(["male", "female"], rows)
    survived = (rng.random(rows) < np.where(sex == "female", 0.74, 0.19)).astype(int)
    cabin = pd.Series([f"{rng.choice(list('ABCDE'))}{rng.integers(1, 900)}" for _ in range(rows)])
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, rows + 1),
            "Survived": survived,
            "Pclass": rng.integers(1, 4, rows),
            "Name": [f"Passenger {i}, {rng.choice(['Mr.', 'Mrs.', 'Miss.'])}" for i in range(rows)],
            "Sex": sex,
            "Age": gaps(
                rng.integers(1, 80, rows) + rng.choice([0.0, 0.5], rows, p=[0.9, 0.1]), rng
            ),
            "SibSp": rng.integers(0, 5, rows),
            "Ticket": [f"A/5 {rng.integers(10**6)}" for _ in range(rows)],
            "Fare": rng.lognormal(3, 1, rows).round(4),
            "Cabin": cabin.where(rng.random(rows) < 0.5),
            "Embarked": rng.choice(["S", "C", "Q"], rows, p=[0.7, 0.2, 0.1]),
        }
    )
    dropped = frozenset({"PassengerId", "Name", "Ticket", "Cabin"})
    return MadeTable("titanic", frame, "Survived", "classification", dropped)


def seaborn_titanic_like(rows: int, rng: Random) -> MadeTable:
    """Passengers with the target in other words: `alive`."""
    survived = (rng.random(rows) < 0.38).astype(int)
    frame = pd.DataFrame(
        {
            "survived": survived,
            "pclass": rng.integers(1, 4, rows),
            "sex": rng.choice(["male", "female"], rows),
            "age": gaps(rng.uniform(1, 80, rows).round(1), rng),
            "fare": rng.lognormal(3, 1, rows).round(4),
            "who": rng.choice(["man", "woman", "child"], rows),
            "adult_male": rng.random(rows) < 0.6,
            "alive": np.where(survived == 1, "yes", "no"),
            "alone": rng.random(rows) < 0.6,
        }
    )
    return MadeTable("seaborn", frame, "survived", "classification", frozenset({"alive"}))


def telco_like(rows: int, rng: Random) -> MadeTable:
    """Customers who leave: ids such as 7590-VHVEG, and blanks among numbers."""
    charges = pd.Series(rng.uniform(18, 118, rows).round(2))
    total = (charges * rng.integers(1, 72, rows)).round(2).astype(str)
    total[:5] = "-"
    frame = pd.DataFrame(
        {
            "customerID": [
                f"{i:04d}-{''.join(rng.choice(list('ABCDEF'), 5))}" for i in range(rows)
            ],
            "gender": rng.choice(["Female", "Male"], rows),
            "SeniorCitizen": rng.integers(0, 2, rows),
            "tenure": rng.integers(0, 73, rows),
            "Contract": rng.choice(["Month-to-month", "One year", "Two year"], rows),
            "MonthlyCharges": charges,
            "TotalCharges": total,
            "Churn": rng.choice(["No", "Yes"], rows, p=[0.73, 0.27]),
        }
    )
    dropped = frozenset({"customerID"})
    missing = {"TotalCharges": {"-"}}
    return MadeTable("telco", frame, "Churn", "classification", dropped, missing=missing)


def telco_with_reason(rows: int, rng: Random) -> MadeTable:
    """Customers who leave, with the reason that only those who left have given."""
    churn = rng.random(rows) < 0.3
    reasons = rng.choice(["price", "support", "moved", "competitor"], rows)
    frame = pd.DataFrame(
        {
            "CustomerNumber": rng.permutation(np.arange(20_000, 20_000 + 3 * rows))[:rows],
            "Tenure": rng.integers(0, 73, rows),
            "Charges": rng.uniform(18, 118, rows).round(2),
            "Churn Reason": pd.Series(reasons).where(churn),
            "Churn": np.where(churn, "Yes", "No"),
        }
    )
    dropped = frozenset({"CustomerNumber", "Churn Reason"})
    return MadeTable("reason", frame, "Churn", "classification", dropped)


def adult_like(rows: int, rng: Random) -> MadeTable:
    """Incomes, with `?` for what is not known."""
    work = rng.choice(["Private", "Self-emp", "State-gov", "?"], rows, p=[0.7, 0.1, 0.1, 0.1])
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 91, rows),
            "workclass": work,
            "fnlwgt": rng.integers(12_000, 1_500_000, rows),
            "education": rng.choice(["HS-grad", "Bachelors", "Masters", "11th"], rows),
            "education-num": rng.integers(1, 17, rows),
            "capital-gain": np.where(rng.random(rows) < 0.9, 0, rng.integers(100, 9_000, rows)),
            "native-country": rng.choice(
                ["United-States", "Mexico", "?"], rows, p=[0.9, 0.06, 0.04]
            ),
            "income": rng.choice(["<=50K", ">50K"], rows, p=[0.76, 0.24]),
        }
    )
    missing = {"workclass": {"?"}, "native-country": {"?"}}
    return MadeTable("adult", frame, "income", "classification", missing=missing)


def ames_like(rows: int, rng: Random) -> MadeTable:
    """Houses: an order and a parcel's number; years that are no ids; a column all alike."""
    area = rng.integers(400, 4_000, rows)
    frame = pd.DataFrame(
        {
            "Order": np.arange(1, rows + 1),
            "PID": rng.permutation(np.arange(526_301_100, 526_301_100 + 9 * rows))[:rows],
            "MS SubClass": rng.choice([20, 30, 60, 120], rows),
            "Lot Area": rng.integers(1_300, 200_000, rows),
            "Alley": pd.Series(rng.choice(["Grvl", "Pave"], rows)).where(rng.random(rows) < 0.07),
            "Utilities": "AllPub",
            "Year Built": rng.integers(1880, 2011, rows),
            "Gr Liv Area": area,
            "Neighborhood": rng.choice([f"N{i}" for i in range(25)], rows),
            "Yr Sold": rng.integers(2006, 2011, rows),
            "SalePrice": (area * 100 + rng.normal(0, 30_000, rows)).round(-2).clip(10_000),
        }
    )
    return MadeTable(
        "ames", frame, "SalePrice", "regression", frozenset({"Order", "PID", "Utilities"})
    )


def taxi_like(rows: int, rng: Random) -> MadeTable:
    """Trips: times that all differ, numbered places, and an empty column."""
    start = pd.Timestamp("2026-01-01")
    minutes = np.sort(rng.choice(rows * 20, rows, replace=False))
    distance = rng.lognormal(0.8, 0.8, rows).round(2)
    frame = pd.DataFrame(
        {
            "pickup_datetime": [str(start + pd.Timedelta(minutes=int(m))) for m in minutes],
            "passenger_count": rng.integers(1, 7, rows),
            "trip_distance": distance,
            "PULocationID": rng.integers(1, 60, rows),
            "DOLocationID": rng.integers(1, 60, rows),
            "ehail_fee": np.nan,
            "fare_amount": (3 + 2.5 * distance + rng.normal(0, 1.5, rows)).round(2),
        }
    )
    return MadeTable(
        "taxi",
        frame,
        "fare_amount",
        "regression",
        frozenset({"ehail_fee"}),
        dates=("pickup_datetime",),
    )


def bike_like(rows: int, rng: Random) -> MadeTable:
    """Rentals a day: a count of records, dates, and the same season twice."""
    season = rng.integers(1, 5, rows)
    days = pd.date_range("2011-01-01", periods=rows).strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {
            "instant": np.arange(1, rows + 1),
            "dteday": days,
            "season": season,
            "season_number": season,
            "holiday": (rng.random(rows) < 0.2).astype(int),
            "temp": rng.uniform(0.05, 0.9, rows).round(6),
            "hum": rng.uniform(0, 1, rows).round(6),
            "cnt": rng.integers(20, 9_000, rows),
        }
    )
    dropped = frozenset({"instant", "season_number"})
    return MadeTable("bike", frame, "cnt", "regression", dropped, dates=("dteday",))


def mpg_like(rows: int, rng: Random) -> MadeTable:
    """Cars: names that nearly all differ, and `?` among horsepowers."""
    weight = rng.integers(1_600, 5_200, rows)
    horsepower = pd.Series(rng.integers(46, 230, rows)).astype(str)
    horsepower[rng.choice(rows, 4, replace=False)] = "?"
    frame = pd.DataFrame(
        {
            "mpg": (46 - weight / 150 + rng.normal(0, 3, rows)).round(1),
            "cylinders": rng.choice([4, 6, 8], rows),
            "displacement": rng.uniform(68, 455, rows).round(0),
            "horsepower": horsepower,
            "weight": weight,
            "model year": rng.integers(70, 83, rows),
            "origin": rng.integers(1, 4, rows),
            "name": [f"maker {rng.integers(20)} model {i}" for i in range(rows)],
        }
    )
    missing = {"horsepower": {"?"}}
    return MadeTable("mpg", frame, "mpg", "regression", frozenset({"name"}), missing=missing)


def wine_like(rows: int, rng: Random) -> MadeTable:
    """Wines with a quality in whole numbers; nothing to drop."""
    quality = rng.choice([5, 6, 7], rows, p=[0.4, 0.4, 0.2])
    frame = pd.DataFrame(
        {
            "fixed acidity": rng.normal(8, 1.5, rows).round(1),
            "residual sugar": rng.lognormal(1, 0.5, rows).round(1),
            "density": rng.normal(0.997, 0.002, rows).round(5),
            "alcohol": (8 + quality * 0.4 + rng.normal(0, 0.8, rows)).round(1),
            "quality": quality,
        }
    )
    return MadeTable("wine", frame, "quality", "classification")


def bank_like(rows: int, rng: Random) -> MadeTable:
    """Customers of a bank: row numbers, numbered customers, surnames that come again."""
    frame = pd.DataFrame(
        {
            "RowNumber": np.arange(1, rows + 1),
            "CustomerId": 15_565_701 + rng.permutation(rows * 40)[:rows],
            "Surname": rng.choice([f"Name{i}" for i in range(40)], rows),
            "CreditScore": rng.integers(350, 851, rows),
            "Balance": np.where(rng.random(rows) < 0.4, 0, rng.uniform(1e4, 2e5, rows).round(2)),
            "Exited": (rng.random(rows) < 0.2).astype(int),
        }
    )
    return MadeTable(
        "bank", frame, "Exited", "classification", frozenset({"RowNumber", "CustomerId"})
    )


def employees_like(rows: int, rng: Random) -> MadeTable:
    """Employees: numbers with gaps, for some have left, and constant columns."""
    number = np.sort(rng.choice(np.arange(1, int(rows * 1.4)), rows, replace=False))
    frame = pd.DataFrame(
        {
            "Age": rng.integers(18, 61, rows),
            "DailyRate": rng.integers(100, 1_500, rows),
            "EmployeeCount": 1,
            "EmployeeNumber": number,
            "Over18": "Y",
            "StandardHours": 80,
            "Department": rng.choice(["Sales", "Research", "HR"], rows),
            "Attrition": rng.choice(["No", "Yes"], rows, p=[0.84, 0.16]),
        }
    )
    dropped = frozenset({"EmployeeCount", "EmployeeNumber", "Over18", "StandardHours"})
    return MadeTable("employees", frame, "Attrition", "classification", dropped)


def sales_like(rows: int, rng: Random) -> MadeTable:
    """Sales of shops: `store_id` describes; the index that pandas wrote does not."""
    store = rng.integers(1, 11, rows)
    frame = pd.DataFrame(
        {
            "Unnamed: 0": np.arange(rows),
            "store_id": store,
            "week": rng.integers(1, 53, rows),
            "promo": rng.random(rows) < 0.3,
            "sensor": np.where(rng.random(rows) < 0.05, -999, rng.uniform(0, 40, rows).round(2)),
            "sales": (store * 100 + rng.normal(0, 20, rows)).round(2),
        }
    )
    return MadeTable("sales", frame, "sales", "regression", frozenset({"Unnamed: 0"}))


def priced_by_size(rows: int, rng: Random) -> MadeTable:
    """Homes whose price is three times the size: suspicious, and perhaps true."""
    size = rng.uniform(20, 200, rows).round(3)
    frame = pd.DataFrame(
        {
            "size": size,
            "colour": rng.choice(["red", "green", "blue"], rows),
            "price": (3 * size).round(3),
        }
    )
    return MadeTable("size", frame, "price", "regression", suspicious=frozenset({"size"}))


def copied_target(rows: int, rng: Random) -> MadeTable:
    """Homes with the price twice, and prices in cents."""
    price = rng.uniform(100, 900, rows).round(2)
    frame = pd.DataFrame(
        {
            "size": (price / 5 + rng.normal(0, 20, rows)).round(2),
            "price_copy": price,
            "cents": (price * 100).round(0),
            "price": price,
        }
    )
    return MadeTable(
        "copied", frame, "price", "regression", frozenset({"price_copy"}), frozenset({"cents"})
    )


def yearly(rows: int, rng: Random) -> MadeTable:
    """A series by year: the year counts the rows, and can be learned from."""
    year = 1600 + np.arange(rows) % 400
    frame = pd.DataFrame(
        {
            "year": year,
            "rain": rng.normal(700, 90, rows).round(1),
            "harvest": (year / 100 + rng.normal(0, 2, rows)).round(2),
        }
    )
    return MadeTable("yearly", frame, "harvest", "regression")


def clinic_like(rows: int, rng: Random) -> MadeTable:
    """Patients with a text each, a uuid, a boolean outcome and measured values that all differ."""
    outcome = rng.random(rows) < 0.4
    frame = pd.DataFrame(
        {
            "uuid": [rng.bytes(8).hex() for _ in range(rows)],
            "note": [f"patient {i} was seen and sent home on day {i % 7}" for i in range(rows)],
            "pressure": rng.normal(120, 15, rows),
            "dose": rng.choice([5, 10, 20], rows),
            "recovered": outcome,
        }
    )
    return MadeTable("clinic", frame, "recovered", "classification", frozenset({"uuid", "note"}))


def skewed_claims(rows: int, rng: Random) -> MadeTable:
    """Claims of an insurance: whole numbers of many values, and a policy's code."""
    frame = pd.DataFrame(
        {
            "policy_key": [f"P{100_000 + 7 * i}" for i in range(rows)],
            "age": rng.integers(18, 90, rows),
            "region": rng.choice(list("ABCDEFGH"), rows),
            "claim": rng.lognormal(6, 1.5, rows).round(0),
        }
    )
    return MadeTable("claims", frame, "claim", "regression", frozenset({"policy_key"}))


def seats(rows: int, rng: Random) -> MadeTable:
    """Ratings from 1 to 5, three columns alike, and texts for the same ratings."""
    rating = rng.integers(1, 6, rows)
    row = rng.integers(1, 30, rows)
    frame = pd.DataFrame(
        {
            "row": row,
            "row_again": row,
            "view": rng.choice(["stage", "side", "back"], rows),
            "stars": np.array(["*", "**", "***", "****", "*****"])[rating - 1],
            "rating": rating,
        }
    )
    dropped = frozenset({"row_again", "stars"})
    return MadeTable("seats", frame, "rating", "classification", dropped)


def sensor_like(rows: int, rng: Random) -> MadeTable:
    """Measurements: a step that counts, a constant voltage, a fault flag that is rare."""
    fault = rng.random(rows) < 0.1
    frame = pd.DataFrame(
        {
            "reading": np.arange(rows),
            "voltage": 230.0,
            "current": rng.normal(5, 1, rows).round(3),
            "heat": (40 + 10 * fault + rng.normal(0, 6, rows)).round(2),
            "fault": fault.astype(int),
        }
    )
    return MadeTable("sensor", frame, "fault", "classification", frozenset({"reading", "voltage"}))


FAMILIES: tuple[Callable[[int, Random], MadeTable], ...] = (
    titanic_like,
    seaborn_titanic_like,
    telco_like,
    telco_with_reason,
    adult_like,
    ames_like,
    taxi_like,
    bike_like,
    mpg_like,
    wine_like,
    bank_like,
    employees_like,
    sales_like,
    priced_by_size,
    copied_target,
    yearly,
    clinic_like,
    skewed_claims,
    seats,
    sensor_like,
)


def made_tables(sizes: tuple[int, ...] = ROWS) -> Iterator[MadeTable]:
    """Yield every family in every size; equal each time."""
    for place, make in enumerate(FAMILIES):
        for rows in sizes:
            yield make(rows, np.random.default_rng([place, rows]))


def gaps(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", rng: Random) -> pd.Series:
    """Return the values with a fifth of them missing."""
    return pd.Series(values).where(rng.random(len(values)) < 0.8)
