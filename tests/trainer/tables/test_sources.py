"""Tables that are elsewhere: a web server, an object store by fsspec, a database."""

import functools
import http.server
import io
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import fsspec
import pytest
from support.registry.databases import running_postgres

from trainer import DataError
from trainer.tables import ReadTable
from trainer.tables.packages import PROTOCOL_PACKAGES, REQUIREMENTS

Read = Callable[..., ReadTable]
Refusal = Callable[..., DataError]
PLAIN = "size,colour,price\n1.5,red,1\n2.5,blue,2\n"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    FORBIDDEN = "/forbidden.csv"

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        if self.path.startswith(self.FORBIDDEN):
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, *args: object) -> None:
        del args


def test_a_url_is_read(read: Read, tmp_path: Path, web: str) -> None:
    (tmp_path / "web.csv").write_text(PLAIN.replace(",", ";"))
    table = read(None, source=f"{web}/web.csv?token=secret")
    assert list(table.frame["price"]) == [1, 2]
    assert table.line_of(1) == 3
    assert not any("secret" in note for note in table.notes)


def test_a_url_without_a_file_is_named_without_its_token(refusal: Refusal, web: str) -> None:
    error = refusal(None, source=f"{web}/none.csv?token=secret")
    assert str(error) == f"{web}/none.csv: not found"
    assert error.hint


@pytest.mark.parametrize("query", ["", "?token=secret"])
def test_a_server_that_does_not_answer_is_named(refusal: Refusal, query: str) -> None:
    message = str(refusal(None, source=f"http://127.0.0.1:9/none.csv{query}"))
    assert message.startswith("http://127.0.0.1:9/none.csv: Cannot connect to host 127.0.0.1:9 ")
    assert "secret" not in message


def test_what_a_server_answers_instead_of_a_file_is_said(refusal: Refusal, web: str) -> None:
    error = refusal(None, source=f"{web}{_Quiet.FORBIDDEN}?token=secret")
    assert str(error) == f"{web}{_Quiet.FORBIDDEN}: the server answers 403 Forbidden"


def test_an_object_store_is_read(read: Read, refusal: Refusal) -> None:
    store = fsspec.filesystem("memory")
    for number in (1, 2):
        store.pipe(f"/bucket/p{number}.csv", PLAIN.encode())
    assert len(read(None, source="memory://bucket/p1.csv").frame) == 2
    assert len(read(None, source="memory://bucket/p*.csv").frame) == 4
    assert "not found" in str(refusal(None, source="memory://bucket/none.csv"))


@pytest.mark.parametrize("protocol", ["s3", "gs", "https"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    def missing(*args: object, **fields: object) -> None:
        raise ImportError

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    error = refusal(None, source=f"{protocol}://bucket/table.csv")
    package = PROTOCOL_PACKAGES[protocol]
    assert str(error).endswith(f"reading it needs the package {package}")
    assert f"pip install --python {sys.prefix} '{REQUIREMENTS[package]}'" in error.hint


def test_a_missing_openpyxl_is_named(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    error = refusal(b"PK\x03\x04", 'read.format = "excel"', name="t.xlsx")
    assert str(error).endswith("reading it needs the package openpyxl")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "data.db")
    connection.execute("create table houses (size real, colour text, sold date, price real)")
    rows = [(1.5, "red", "2026-01-01", 1), (None, " blue", "2026-01-02", 2)]
    connection.executemany("insert into houses values (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return tmp_path / "data.db"


def test_a_query_on_sqlite_is_read(read: Read, database: Path) -> None:
    query = 'read.query = "select * from houses order by price"'
    table = read(None, query, source="sqlite:///data.db")
    assert list(table.frame["colour"]) == ["red", "blue"]
    assert list(table.frame["size"].isna()) == [False, True]
    assert table.place_of(1) == "row 2"


def test_a_query_that_is_missing_or_wrong_is_refused(refusal: Refusal, database: Path) -> None:
    error = refusal(None, source="sqlite:///data.db")
    assert str(error).endswith("there is no query")
    assert "tables: houses" in error.hint
    wrong = 'read.query = "select * from flats"'
    assert "no such table: flats" in str(refusal(None, wrong, source="sqlite:///data.db"))
    assert "No such file" in str(refusal(None, wrong, source="sqlite:///none.db"))
    assert "not a database's address" in str(refusal(None, wrong, source="data.csv"))
    none = 'read.query = "select * from houses where price > 9"'
    assert str(refusal(None, none, source="sqlite:///data.db")).endswith("no rows")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as address:
        yield address


def test_a_query_on_postgresql_is_read(read: Read, postgres: str) -> None:
    query = """read.query = '''
select n * 1.5 as size, (n * 2)::numeric(8, 2) as amount, n % 2 = 0 as even, 'c' || n % 3 as colour,
       date '2026-01-01' + n as sold, now() as seen, interval '1 hour' * n as open, null as nothing,
       case when n > 2 then n end as gap, n as price
from generate_series(1, 40) n order by n'''"""
    table = read(None, query, source=postgres)
    assert not table.findings
    kinds = {name: str(dtype).split("[")[0] for name, dtype in table.frame.dtypes.items()}
    assert (kinds["size"], kinds["amount"], kinds["gap"]) == ("float64", "float64", "float64")
    assert (kinds["sold"], kinds["seen"], kinds["open"]) == ("datetime64", "datetime64", "float64")
    assert (kinds["even"], kinds["colour"]) == ("bool", "str")
    assert table.frame["nothing"].isna().all()


def test_a_password_is_never_shown(refusal: Refusal, postgres: str) -> None:
    secret = postgres.replace("://", "://nobody:secret@").replace(
        "nobody:secret@tester@", "nobody:secret@"
    )
    error = refusal(None, 'read.query = "select 1"', source=secret)
    assert "secret" not in f"{error} {error.hint}"


def test_requirements_are_those_of_the_extras() -> None:
    import tomllib

    root = Path(__file__).parents[3]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = {
        requirement
        for extra in ("excel", "sql", "remote")
        for requirement in extras["optional-dependencies"][extra]
    }
    assert set(REQUIREMENTS.values()) == declared
