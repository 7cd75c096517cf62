"""Reads the rows of an SQL query by SQLAlchemy, which is an extra."""

from pathlib import Path

import pandas as pd
from sqlalchemy import URL, Engine, create_engine, exc, inspect, make_url, text

from trainer.errors import DataError
from trainer.spec import DataSetSpec
from trainer.tables.packages import require_package
from trainer.tables.parsed import Parsed
from trainer.tables.result import NumberedRows

_LISTED_TABLES = 10


def read_query(spec: DataSetSpec) -> Parsed:
    """Run the spec's query.

    Raises:
        DataError: when the database's driver is not installed, the address or the
            query is wrong, or there are no rows. No message shows a password.
    """
    url = _parse_address(spec)
    shown = url.render_as_string(hide_password=True)
    engine = _connect(url, shown)
    try:
        if not spec.read.query:
            raise DataError(f"{shown}: there is no query", hint=_query_hint(engine))
        with engine.connect() as connection:
            frame = pd.read_sql_query(text(spec.read.query), connection)
    except (exc.SQLAlchemyError, pd.errors.DatabaseError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        raise DataError(f"{shown}: {reason}", hint="check source and read.query") from error
    finally:
        engine.dispose()
    if frame.empty:
        raise DataError(f"{shown}: no rows", hint="run the query by hand")
    return Parsed(frame, NumberedRows())


def _parse_address(spec: DataSetSpec) -> URL:
    try:
        url = make_url(spec.source)
    except exc.ArgumentError as error:
        raise DataError(
            "source: not a database's address, which a query needs",
            hint='such as "postgresql+psycopg://user@host/name" or "sqlite:///data.db"',
        ) from error
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")  # the driver of our extra
    if url.drivername.startswith("sqlite") and url.database not in {None, "", ":memory:"}:
        path = spec.folder / str(url.database)
        if not Path(path).is_file():
            raise DataError(
                f"{path}: No such file or directory",
                hint="four slashes begin a path from the root: sqlite:////data/houses.db; in a "
                "spec, others are relative to the TOML file",
            )
        url = url.set(database=str(path))
    return url


def _connect(url: URL, shown: str) -> Engine:
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        name = error.name or "its driver"
        require_package(name, shown)
        raise
    except exc.NoSuchModuleError as error:
        raise DataError(
            f"{shown}: SQLAlchemy knows no such database",
            hint="check the part of the address before the colon, or install its driver",
        ) from error


def _query_hint(engine: Engine) -> str:
    tables = inspect(engine).get_table_names()
    hint = 'state --query "select ... from ...", or in a data set spec read.query'
    if not tables:
        return hint
    return f"{hint}; tables: {', '.join(tables[:_LISTED_TABLES])}"
