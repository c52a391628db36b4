"""Cyclic garbage: left to explicit moments during a run, and gone after some of them."""

from __future__ import annotations

import gc
import weakref

from crupto_nautilus.desk.garbage import QuietCollector, rare_collections


class Node:
    """A thing that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_thresholds_are_high_during_a_run_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] >= 100_000
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_what_became_garbage_is_gone_an_hour_of_quiet_moments_later() -> None:
    collector = QuietCollector()
    with rare_collections():
        collector.collect()  # what is there now is left alone from here
        young, gone = Node(), []
        weakref.finalize(young, gone.append, "gone")
        for _ in range(30):  # it survives some collections and is old then
            collector.collect()
        del young
        assert gone == []
        for _ in range(60):
            collector.collect()
        assert gone == ["gone"]
