"""Rows of a journal table as a Parquet file, a chunk at a time.

Guarantees: memory is bounded by a chunk whatever the number of rows; the file is flushed to the disk, and its
own count is read back and compared with what was sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Boolean, Connection, Double, Select, Table, Text

from crupto_nautilus.errors import CheckFailed

CHUNK_ROWS = 20_000
_ARROW: dict[type, pa.DataType] = {
    BigInteger: pa.int64(),
    Boolean: pa.bool_(),
    Double: pa.float64(),
    Text: pa.string(),
}


class Written(NamedTuple):
    """How many rows a file holds and the largest `id` among them (0 where the table has none)."""

    rows: int
    newest_id: int


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Parquet schema of a journal table."""
    return pa.schema([pa.field(column.name, _ARROW[type(column.type)]) for column in table.columns])


def write_rows(connection: Connection, query: Select[Any], table: Table, path: Path) -> Written:
    """Write the rows of a query (`select(table)`, in its order) to a file that must not exist yet.

    Raises
    ------
    CheckFailed
        The file does not hold what was written.
    OSError
        The disk refuses.
    """
    schema = arrow_schema(table)
    place = schema.get_field_index("id")
    rows = newest = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for chunk in _chunks(connection, query):
            columns = list(zip(*chunk, strict=True))
            arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows += len(chunk)
            if place >= 0:
                newest = max(newest, *columns[place])
    with path.open("rb") as file:
        os.fsync(file.fileno())
    found = pq.read_metadata(path).num_rows
    if found != rows:
        raise CheckFailed(
            f"the archive {path} does not hold what was written",
            found=f"{found} rows",
            expected=f"{rows}",
        )
    return Written(rows, newest)


def _chunks(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    if connection.dialect.name != "sqlite":  # the server sends chunks only to a cursor that SQLAlchemy names
        yield from connection.execution_options(yield_per=CHUNK_ROWS).execute(query).partitions()
        return
    # From the driver's own cursor: making rows of SQLAlchemy costs as much again as reading them.
    result = connection.execute(query)
    try:
        while chunk := result.cursor.fetchmany(CHUNK_ROWS):
            yield chunk
    finally:
        result.close()


def _array(column: tuple[Any, ...], kind: pa.DataType) -> Any:
    if kind == pa.bool_():  # SQLite has no booleans, but 0 and 1
        column = tuple(None if value is None else bool(value) for value in column)
    return pa.array(column, kind)
