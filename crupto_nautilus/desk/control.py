"""The operator's way into a running desk: a loopback endpoint with a token, and its client.

Guarantees: it listens on 127.0.0.1 only; who has no token (a file of mode 0600 in the run's folder) is
refused before anything is read; a command runs on the node's thread between two instants, and is answered
when the state after it is in the journal, or says that it is not.
"""

from __future__ import annotations

import hmac
import http.client
import json
import os
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from crupto_nautilus.desk.journalling import LiveJournal
from crupto_nautilus.desk.operator import LiveOperator
from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.errors import CruptoError, EnvironmentProblem, UsageError

CONTROL_FILE: Final = "control.json"
_ANSWER_S: Final = 10.0
_LARGEST_BODY: Final = 10_000


class Control:
    """The service behind `crupto state` for a running run."""

    name = "control"

    def __init__(self, journal: LiveJournal | None) -> None:
        self._journal = journal
        self._server: ThreadingHTTPServer | None = None
        self._file: Path | None = None

    def start(self, context: PaperContext) -> None:
        """Listen on a free port and write the token file."""
        self._context = context
        self._token = secrets.token_urlsafe(32)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)
        self._thread.start()
        self._file = context.folder / CONTROL_FILE
        self._file.unlink(missing_ok=True)  # of a session that was killed; an old mode must not survive
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"port": self._server.server_port, "token": self._token, "pid": os.getpid()}, file)

    def stop(self, reason: str) -> None:
        """Stop listening and remove the token."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def allowed(self, token: str) -> bool:
        """Whether the token is the one of this run."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Carry a command out and return what to answer.

        Raises
        ------
        CruptoError
            The command is refused, or the desk does not run.
        """
        operator = LiveOperator(self._context.desk)
        command = str(asked.get("command", ""))
        if command == "show":
            return self._on_desk(operator.show)
        subject, reason = str(asked.get("subject", "")), str(asked.get("reason", ""))
        self._on_desk(lambda: operator.carry_out(command, subject, reason))
        # The second call finds everything settled that the first one set going, and checkpoints it.
        answer = self._on_desk(operator.show)
        journal = self._journal
        answer["journalled"] = journal is not None and journal.flush(_ANSWER_S)
        return answer

    def _on_desk(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        done = threading.Event()
        found: list[dict[str, Any] | Exception] = []

        def call() -> None:
            try:
                found.append(work())
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked, not to the desk
                found.append(error)
            done.set()

        if not self._context.feed.call(call) or not done.wait(_ANSWER_S):
            raise EnvironmentProblem(
                "the desk does not answer",
                found="it is starting, ending or busy",
                expected=f"an answer within {_ANSWER_S:g} s",
                remedy="ask again; when the run has ended the command works on its checkpoint",
            )
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]


def _handler(control: Control) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers POST /state with JSON."""

        timeout = _ANSWER_S

        def do_POST(self) -> None:
            """Check the token, then answer."""
            if not control.allowed(self.headers.get("Authorization", "").removeprefix("Bearer ")):
                self._send(403, {"message": "no token, or a wrong one"})
                return
            length = int(self.headers.get("Content-Length") or 0)
            if self.path != "/state" or not 0 < length <= _LARGEST_BODY:
                self._send(404, {"message": "expected a command for /state"})
                return
            try:
                asked = json.loads(self.rfile.read(length))
                if not isinstance(asked, dict):
                    raise UsageError("a command is a JSON object", found=type(asked).__name__)
                self._send(200, control.answer(asked))
            except CruptoError as error:
                self._send(409, error.to_json())
            except ValueError as error:
                self._send(400, {"message": str(error)})

        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the terminal belongs to the status."""

    return Handler


def ask(folder: Path, command: str, subject: str = "", reason: str = "") -> dict[str, Any]:
    """Ask the running desk of a run folder and return its answer.

    Raises
    ------
    EnvironmentProblem
        The desk cannot be reached.
    UsageError
        It refused the command.
    """
    try:
        where = json.loads((folder / CONTROL_FILE).read_text(encoding="utf-8"))
        connection = http.client.HTTPConnection("127.0.0.1", int(where["port"]), timeout=3 * _ANSWER_S)
        body = json.dumps({"command": command, "subject": subject, "reason": reason})
        headers = {"Authorization": f"Bearer {where['token']}", "Content-Type": "application/json"}
        connection.request("POST", "/state", body, headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        connection.close()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise EnvironmentProblem(
            "the running desk cannot be reached",
            found=str(error),
            expected="its control endpoint",
            remedy="wait until the run has started or ended, then ask again",
        ) from error
    if response.status == 200:
        return answer
    kind = EnvironmentProblem if answer.get("error") == "EnvironmentProblem" else UsageError
    raise kind(
        str(answer.get("message", response.status)),
        found=str(answer.get("found", "")),
        expected=str(answer.get("expected", "")),
        remedy=str(answer.get("remedy", "")),
    )
