"""Executors give the same results in the same order, and survive what kills their workers.

Ray runs a whole campaign in `test_campaign`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from research.errors import ResearchError
from research.executors import Executor, PoolExecutor, RayMissing, SerialExecutor, WorkerDied, make_executor
from research.ledger import sha256_of

# The work must be importable by worker processes: it lives in the fakes, not in this test file.
from tests.fakes.research_work import die_always, die_once, fail_on_three, process_of, spread

CONTEXT = {"prices": np.linspace(1.0, 2.0, 1000)}


def digest(executor: Executor) -> str:
    return sha256_of(list(executor.run(spread, CONTEXT, range(40))))


def test_a_pool_gives_what_one_process_gives() -> None:
    assert digest(PoolExecutor(2)) == digest(SerialExecutor())


def test_the_next_run_of_the_same_work_finds_the_workers_of_the_last() -> None:
    pool = PoolExecutor(1)
    (first,), (again,) = pool.run(process_of, CONTEXT, [0]), pool.run(process_of, CONTEXT, [0])
    (other,) = pool.run(process_of, dict(CONTEXT), [0])  # another context is sent to new ones
    assert first == again != other
    pool.close()
    assert not psutil.pid_exists(other)


def test_a_missing_ray_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RayMissing, match="--executor pool"):
        list(make_executor("ray").run(spread, CONTEXT, [1]))


def test_a_worker_that_was_killed_costs_no_result(tmp_path: Path) -> None:
    found = list(PoolExecutor(2).run(die_once, str(tmp_path / "died"), range(12)))
    assert found == [item * 2 for item in range(12)]
    assert (tmp_path / "died").exists()


def test_an_item_that_kills_its_worker_twice_is_named() -> None:
    with pytest.raises(WorkerDied, match="item 1 died twice"):
        list(PoolExecutor(1).run(die_always, None, [0]))


@pytest.mark.parametrize("executor", [SerialExecutor(), PoolExecutor(2)], ids=["serial", "pool"])
def test_results_before_an_escaping_error_arrive(executor: Executor) -> None:
    seen: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(executor.run(fail_on_three, None, range(6)))
    assert seen == [0, 1, 2]


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(ResearchError, match="one of serial, pool, ray"):
        make_executor("dask")
