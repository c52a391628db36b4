"""The tape on which the desk's messages wait for whoever looks."""

from __future__ import annotations

import threading
from typing import Any

from crupto_nautilus.desk.telemetry import tape as tapes
from crupto_nautilus.desk.telemetry.tape import Tape


class Work:
    """A tape of texts and numbers and what came of it."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.failed: list[tuple[object, str]] = []
        self.batches = 0
        workers: dict[type, tapes.Worker] = {str: self.text, int: self.number, type(None): lambda *_: None}
        self.tape = Tape(workers, self.settle, lambda m, e: self.failed.append((m, str(e))))

    def text(self, _: int, message: str) -> None:
        self.done.append(message)

    def number(self, _: int, message: int) -> None:
        self.done.append(1 / message)

    def settle(self) -> None:
        self.batches += 1


def test_messages_are_worked_off_in_order_once_and_settled_once_a_batch() -> None:
    work = Work()
    for text in "abc":
        work.tape.hear(text)
    assert work.done == []
    assert work.tape.catch_up()
    assert work.tape.catch_up()
    assert (work.done, work.batches) == (["a", "b", "c"], 1)


def test_a_message_that_breaks_its_worker_takes_no_other_with_it() -> None:
    work = Work()
    for message in ("a", 0, 2.5, "b"):
        work.tape.hear(message)
    work.tape.catch_up()
    assert work.done == ["a", "b"]
    assert [message for message, _ in work.failed] == [0, 2.5]
    assert "division by zero" in work.failed[0][1]


def test_who_finds_another_at_work_goes_on_and_nothing_is_done_twice() -> None:
    work, inside, go_on = Work(), threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        assert go_on.wait(10.0)

    work.settle = slow  # type: ignore[method-assign]
    work.tape = Tape({str: work.text}, slow, lambda m, e: work.failed.append((m, str(e))))
    work.tape.hear("a")
    reader = threading.Thread(target=work.tape.catch_up)
    reader.start()
    assert inside.wait(10.0)
    work.tape.hear("b")
    assert not work.tape.catch_up()  # the desk's thread is never kept
    go_on.set()
    reader.join(10.0)
    work.tape.catch_up()
    assert work.done == ["a", "b"]


def test_a_desk_whose_pulse_does_not_come_works_its_tape_off_itself() -> None:
    work = Work()
    for _ in range(tapes.MOST):
        work.tape.hear("a")
    work.tape.mark(None)
    assert len(work.done) == tapes.MOST
    assert not work.failed


def test_a_batch_that_cannot_be_settled_is_told_and_the_next_is_settled() -> None:
    work = Work()

    def broken() -> None:
        work.batches += 1
        raise KeyError("no such node")

    work.tape = Tape({str: work.text}, broken, lambda m, e: work.failed.append((m, str(e))))
    for text in "ab":
        work.tape.hear(text)
        work.tape.catch_up()
    assert work.done == ["a", "b"]
    assert work.failed == [(None, "'no such node'")] * 2
