"""The smallest pipeline: load a table, print its first rows."""

from kfp import dsl

from pipelines.components import download, head


@dsl.pipeline(name="iris-csv", description="Load the iris table and print its first rows.")
def iris_csv(source: str, rows: int = 5) -> str:
    """Return the first rows as text."""
    table = download(source=source).outputs["table"]
    return head(table=table, rows=rows).output
