"""A guard on sockets: a test of an exchange talks to this machine only; what else it tries is remembered.

An audit hook of Python sees every connect and every look-up of a name, whatever library asks.  It can not be
taken out again, so it acts only while somebody wants it.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})


class Guard:
    """What was asked of the network while the guard was up."""

    def __init__(self) -> None:
        self.up = False
        self.refused: list[str] = []
        self.reached: set[str] = set()
        self._installed = False

    def install(self) -> None:
        """Put the guard up for the rest of the process."""
        if not self._installed:
            sys.addaudithook(self._hook)
            self._installed = True
        self.up = True

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.up:
            return
        if event in _CONNECTS:
            address = arguments[1]
            if isinstance(address, tuple):  # the address of a socket in a file is a text
                self._judge(address[0])
        elif event in _LOOK_UPS:
            self._judge(arguments[0])

    def _judge(self, host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name == "":
            return  # any address of this machine, for a server
        if is_loopback(str(name)):
            self.reached.add(str(name))
            return
        self.refused.append(str(name))
        raise PermissionError(f"a test may only talk to this machine, not to {name}")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


GUARD = Guard()


@contextmanager
def guarded() -> Iterator[Guard]:
    """Refuse other machines inside the block."""
    before = len(GUARD.refused)
    GUARD.install()
    try:
        yield GUARD
    finally:
        GUARD.up = False
        del GUARD.refused[before:]


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[Guard]:
    """Let no test of a folder talk to another machine; one that tried fails, whoever caught the error."""
    with guarded() as guard:
        before = len(guard.refused)
        yield guard
        assert guard.refused[before:] == []
