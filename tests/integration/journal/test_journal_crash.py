"""A process that is killed loses nothing the journal had acknowledged."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from crupto_nautilus.journal import Journal

_CHILD = """
import sys
from crupto_nautilus.journal import Journal, JournalWriter
from tests.fakes.messages import fill, one_of_each, signal

url = sys.argv[1]
journal = Journal(url)
writer = JournalWriter(journal, "run-1")
told = 0
for ts in range(1, 10_000_000):
    writer.put(ts, [signal(ts), fill(ts, ts)], {"ts": ts})
    if ts % 7 == 0:
        writer.flush()
    if writer.stored > told:
        told = writer.stored
        print(told, flush=True)
"""


def test_killed_process_keeps_every_acknowledged_event_whole(url: str, project_dir: Path) -> None:
    with Journal(url) as journal:
        journal.migrate()
        journal.start_run({"run_id": "run-1", "start_ns": 1})
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, url], stdout=subprocess.PIPE, text=True, cwd=project_dir
        )
        assert child.stdout is not None
        assert child.stdout.readline()
        time.sleep(0.3)
        child.kill()  # SIGKILL: no handler runs
        told = [int(line) for line in child.stdout.read().split("\n")[:-1]]
        child.wait()
        child.stdout.close()
        acknowledged = max(told)
        signals = [row["ts_event"] for row in journal.read("signals", "run-1")]
        assert len(signals) >= acknowledged > 0
        assert signals == list(range(1, len(signals) + 1))
        # What stands together in one instant stands together in the database.
        assert [row["ts_event"] for row in journal.read("fills", "run-1")] == signals
        assert len(journal.read("positions", "run-1")) == len(signals)
        checkpoint = journal.load_state("run-1")
        assert checkpoint is not None
        assert checkpoint.state == {"ts": signals[-1]}
        # The next process takes over where this one stood.
        assert journal.claim("run-1") == signals[-1]
