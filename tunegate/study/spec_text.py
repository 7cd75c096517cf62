"""A `DataSetSpec` as TOML, for trials to read."""

from collections.abc import Iterator, Mapping

from trainer.spec import DataSetSpec
from trainer.tables.paste_lines import toml_value


def spec_text(spec: DataSetSpec) -> str:
    """Return a spec's TOML; its source becomes a path that does not depend on the spec's folder."""
    fields = spec.model_dump(mode="json", exclude_defaults=True, exclude={"folder"})
    if not ("://" in spec.source or spec.source.startswith("sklearn:")):
        fields["source"] = str((spec.folder / spec.source).absolute())
    return "\n".join(_table_lines(fields)) + "\n"


def _table_lines(fields: Mapping[str, object], path: str = "") -> Iterator[str]:
    """Yield a table's own fields, then the tables inside."""
    inside = {name: value for name, value in fields.items() if isinstance(value, Mapping)}
    if path and len(inside) < len(fields):
        yield f"\n[{path}]"
    for name, value in fields.items():
        if name not in inside:
            yield f"{toml_value(name)} = {toml_value(value)}"
    for name, table in inside.items():
        yield from _table_lines(table, f"{path}.{toml_value(name)}" if path else toml_value(name))
