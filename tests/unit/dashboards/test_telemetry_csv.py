"""telemetry.csv: events, counters and rates, bounded, and never in the way."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from dashboards.telemetry_csv import COLUMNS, OLDER, Sample, TelemetryExporter


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_events_counters_and_rates_are_written(tmp_path: Path) -> None:
    count = iter(range(10, 1000, 10))
    exporter = TelemetryExporter(
        tmp_path,
        lambda: (7, [Sample("signals", "", next(count)), Sample("pnl", "", -1.5, "gauge")]),
        every_s=0.1,
    )
    exporter.start()
    exporter.event(5, "refused", "breakout/BTC/5", "PORTFOLIO_CAP, a comma\nand a line")
    time.sleep(0.8)
    exporter.stop()
    written = rows(tmp_path / "telemetry.csv")
    assert tuple(written[0]) == COLUMNS
    event = next(row for row in written if row["kind"] == "event")
    assert (event["desk_ts_ns"], event["name"], event["detail"]) == (
        "5",
        "refused",
        "PORTFOLIO_CAP, a comma and a line",
    )
    assert [row["value"] for row in written if row["kind"] == "counter"][:2] == ["20", "30"]
    # 10 were counted before the first sample: no rate is made of them
    assert all(0 < float(row["value"]) < 200 for row in written if row["kind"] == "rate")
    assert {row["value"] for row in written if row["kind"] == "gauge"} == {"-1.5"}


def test_the_file_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    exporter = TelemetryExporter(tmp_path, lambda: (0, []), every_s=60.0, max_bytes=20_000)
    for n in range(40):
        for _ in range(50):
            exporter.event(n, "fill", "x" * 40, "y" * 40)
        exporter._write(with_sample=False)
    assert (tmp_path / OLDER).is_file()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < 30_000


def test_events_that_come_too_fast_are_dropped_and_counted(tmp_path: Path) -> None:
    exporter = TelemetryExporter(tmp_path, lambda: (0, []), max_waiting=10)
    for n in range(25):
        exporter.event(n, "fill", "", "")
    exporter._write(with_sample=False)
    written = rows(tmp_path / "telemetry.csv")
    assert len(written) == 11
    assert (written[-1]["name"], written[-1]["value"]) == ("dropped", "15")


def test_a_disk_that_refuses_is_told_and_loses_nothing_that_waits(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    exporter = TelemetryExporter(folder, lambda: (0, []))
    exporter.event(1, "fill", "", "")
    exporter._write(with_sample=False)
    assert "cannot be written" in exporter.failed
    folder.mkdir()
    exporter._write(with_sample=False)
    assert exporter.failed == ""
    assert len(rows(folder / "telemetry.csv")) == 1
