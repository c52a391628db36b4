"""Signals outside of the node's own time."""

from __future__ import annotations

import os
import signal

import pytest

from crupto_nautilus.desk.early_end import ends_at_once, hold_off, without_an_instant
from crupto_nautilus.errors import ExitCode, Interrupted


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_not_begun_ends_at_once_and_names_the_signal(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as ended, ends_at_once():
        send(number)
    assert ended.value.exit_code == 130
    assert ended.value.found.startswith(number.name)
    assert signal.getsignal(number) is before


def test_while_a_run_is_written_one_signal_is_overheard_and_a_second_one_is_not() -> None:
    with ends_at_once():
        hold_off()
        send(signal.SIGTERM)
        with pytest.raises(Interrupted, match="was not written"):
            send(signal.SIGINT)


def test_a_run_without_an_instant_says_why() -> None:
    assert without_an_instant("interrupted").exit_code == ExitCode.INTERRUPTED
    other = without_an_instant("duration 5 s")
    assert (other.exit_code, other.found) == (ExitCode.ENVIRONMENT, "duration 5 s")
