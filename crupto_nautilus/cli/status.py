"""The live status as a service of a paper run: a screen on a terminal, plain lines elsewhere.

Guarantees: everything goes to standard error, so that `--json` keeps standard output for itself; drawing runs
in a thread of its own and the desk never waits for it; whatever fails in it is told once and ends the status,
never the run.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from crupto_nautilus.cli.status_view import line, screen

if TYPE_CHECKING:
    from crupto_nautilus.desk.services import PaperContext
    from crupto_nautilus.desk.status import DeskStatus, ShadowStatus, StatusReader

FRAMES_PER_SECOND = 4
LINE_EVERY_S = 30.0
_FIRST_LINE_S = 2.0


class LiveStatus:
    """Shows the status while the desk runs.

    Parameters
    ----------
    terminal
        Whether somebody watches a terminal; None: find out.
    every_s
        Seconds between two lines where nobody does.
    shadows
        Tells how the challengers in shadow stand.
    """

    name = "status"

    def __init__(
        self,
        *,
        terminal: bool | None = None,
        every_s: float = LINE_EVERY_S,
        stream: TextIO | None = None,
        shadows: Callable[[], Sequence[ShadowStatus]] = tuple,
    ) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty() if terminal is None else terminal
        self._every_s, self._shadows = every_s, shadows
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._engine_output: int | None = None
        self._mode = ""

    def start(self, context: PaperContext) -> None:
        """Begin to show the run."""
        from crupto_nautilus.desk.status import StatusReader

        reader = StatusReader(context, self._shadows)
        if self._terminal:
            self._set_engine_aside(context)
        work = self._draw if self._terminal else self._print
        self._thread = threading.Thread(target=self._guarded, args=(work, reader), name="status", daemon=True)
        self._thread.start()

    def stop(self, reason: str) -> None:
        """Show the run a last time and let the terminal go."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
        if self._engine_output is not None:
            sys.stdout.flush()
            os.dup2(self._engine_output, 1)
            os.close(self._engine_output)
            self._engine_output = None

    def _set_engine_aside(self, context: PaperContext) -> None:
        """Send what the engine prints on descriptor 1 to a file while the screen is drawn."""
        sys.stdout.flush()
        self._engine_output = os.dup(1)
        with (context.folder / "engine.out").open("ab") as file:
            os.dup2(file.fileno(), 1)

    def _guarded(self, work: Callable[[StatusReader], None], reader: StatusReader) -> None:
        try:
            work(reader)
        except Exception as error:  # noqa: BLE001 - a status that fails must not end a desk that trades
            print(f"the live status has ended: {type(error).__name__}: {error}", file=self._stream)

    def _print(self, reader: StatusReader) -> None:
        wait = min(_FIRST_LINE_S, self._every_s)
        waited = 0.0
        while not self._over.wait(0.5):
            waited += 0.5
            status = reader.read()
            self._tell_change(status)
            if waited >= wait:
                self._write(line(status))
                waited, wait = 0.0, self._every_s
        status = reader.read()
        self._tell_change(status)
        self._write(line(status))

    def _tell_change(self, status: DeskStatus) -> None:
        mode = f"{status.mode} {status.reason}".strip()
        if self._mode and mode != self._mode:
            self._write(f"desk state {self._mode} -> {mode}: {status.detail}; {status.happens}")
        self._mode = mode

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def _draw(self, reader: StatusReader) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream)

        def frame(status: DeskStatus) -> object:
            return screen(status, console.width, console.height)

        with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False) as live:
            while True:
                over = self._over.wait(1.0 / FRAMES_PER_SECOND)
                live.update(frame(reader.read()), refresh=True)  # type: ignore[arg-type]
                if over:
                    break
        self._write(line(reader.read()))
