"""A recording survives a disk that fills up in the middle of a line, and a process that is killed."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.errors import CatalogError, CatalogIOError
from catalog.recording import Head, RecordingFile, import_recording, read_recording, recordings
from catalog.store import Catalog
from risk.vocabulary import MINUTE_NS, Bar, Instant

COIN = "SOL-USDT.TEST"
START_NS = 1_735_689_600_000_000_000  # 2025-01-01
HEAD = Head("night", {COIN: 1}, {COIN: "synthetic"})


def instants(first: int, last: int) -> list[Instant]:
    made = []
    for k in range(first, last + 1):
        ts = START_NS + k * MINUTE_NS
        made.append(Instant(ts, {1: (Bar(COIN, 1, ts, 100.0, 101.0, 99.0, 100.5, float(k)),)}))
    return made


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: what fits is taken, as by a full disk.

    Modules are not compiled to files meanwhile: one that was cut off would be everybody's from then on.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = kept


def left_behind(folder: Path, content: bytes) -> Path:
    """Return a recording as a killed process left it."""
    path = folder / "recordings" / "night.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_what_fits_on_a_full_disk_is_taken_back_and_the_batch_is_written_whole_later(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path, HEAD)
    file.append(instants(1, 3))
    whole = file.path.stat().st_size
    with disk_of(whole + 20), pytest.raises(CatalogIOError):
        file.append(instants(4, 6))
    assert file.path.stat().st_size == whole
    file.append(instants(4, 6))
    file.close()
    assert read_recording(file.path) == (HEAD, instants(1, 6))


def test_after_a_kill_in_the_middle_of_a_line_all_lines_before_it_are_imported(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "catalog")
    file = RecordingFile(catalog.path, HEAD)
    file.append(instants(1, 5))
    file.close()
    whole = file.path.read_bytes()
    left_behind(catalog.path, whole[:-7])
    assert [import_recording(catalog, path) for path in recordings(catalog.path)] == [4]
    assert recordings(catalog.path) == []
    bars = catalog.bars(COIN, 1, START_NS, START_NS + 10 * MINUTE_NS)
    assert list(bars.volume) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("content", [b"", b'{"format": 1, "run": "ni'])
def test_after_a_kill_before_the_first_line_was_whole_the_next_run_finds_no_obstacle(
    tmp_path: Path, content: bytes
) -> None:
    catalog = Catalog.create(tmp_path / "catalog")
    path = left_behind(catalog.path, content)
    assert import_recording(catalog, path) == 0
    assert not path.exists()
    RecordingFile(catalog.path, HEAD).close()


def test_a_recording_that_is_damaged_before_its_end_is_refused_and_kept(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "catalog")
    path = left_behind(catalog.path, b'{"format": 1, "run": "ni\n{"t": 1}\n')
    with pytest.raises(CatalogError, match="is damaged"):
        import_recording(catalog, path)
    assert path.exists()
