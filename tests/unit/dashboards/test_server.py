"""The server: loopback or a token, reads only, and no way around either."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dashboards.server import MAX_CONNECTIONS, DashboardServer, ServerError
from dashboards.source import DecisionQuery, Health

TOKEN = "a-token-of-some-length"


class Source:
    """Answers that tests can recognise."""

    def __init__(self) -> None:
        self.asked: list[DecisionQuery] = []
        self.state = Health(True, True)
        self.broken = False

    def metrics(self) -> bytes:
        return b"crupto_positions 1.0\n"

    def graph(self) -> dict[str, Any]:
        if self.broken:
            raise RuntimeError("the graph fell over")
        return {"nodes": [], "edges": []}

    def run(self) -> dict[str, Any]:
        return {"run": {"run_id": "r1"}}

    def decisions(self, query: DecisionQuery) -> dict[str, Any]:
        self.asked.append(query)
        return {"decisions": []}

    def health(self) -> Health:
        return self.state


@contextmanager
def serving(source: Source, **options: Any) -> Iterator[DashboardServer]:
    server = DashboardServer(source, port=0, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def server(source: Source) -> Iterator[DashboardServer]:
    with serving(source) as running:
        yield running


def ask(
    server: DashboardServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    reply = connection.getresponse()
    answer = reply.status, dict(reply.getheaders()), reply.read()
    connection.close()
    return answer


def raw(server: DashboardServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(data)
        return wire.recv(4096)


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/", "text/html", b"<!doctype html>"),
        ("/page.js", "text/javascript", b"import"),
        ("/graph.js", "text/javascript", b"export class Graph"),
        ("/charts.js", "text/javascript", b"export class EquityChart"),
        ("/page.css", "text/css", b":root"),
        ("/metrics", "text/plain", b"crupto_positions"),
        ("/graph", "application/json", b"nodes"),
        ("/api/run", "application/json", b"r1"),
        ("/api/decisions", "application/json", b"decisions"),
        ("/healthz", "application/json", b"true"),
        ("/readyz", "application/json", b"true"),
    ],
)
def test_each_address_answers(server: DashboardServer, path: str, kind: str, part: bytes) -> None:
    status, headers, body = ask(server, path)
    assert status == 200
    assert headers["Content-Type"].startswith(kind)
    assert part in body
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_it_listens_on_loopback_only(server: DashboardServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    with socket.socket() as wire:
        wire.settimeout(2)
        assert wire.connect_ex((address, server.port)) != 0


@pytest.mark.parametrize("token", ["", "short"])
def test_another_address_without_a_token_is_refused(source: Source, token: str) -> None:
    with pytest.raises(ServerError, match="without a token"):
        DashboardServer(source, "0.0.0.0", 0, token)


def test_with_a_token_nothing_answers_without_it(source: Source) -> None:
    with serving(source, host="0.0.0.0", token=TOKEN) as server:
        for path in (
            "/",
            "/metrics",
            "/graph",
            "/api/run",
            "/api/decisions",
            "/healthz",
            "/page.js",
            "/nothing",
        ):
            assert ask(server, path)[0] == 401, path
            assert ask(server, path, Authorization="Bearer wrong")[0] == 401, path
        assert ask(server, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        status, headers, _ = ask(server, f"/?token={TOKEN}")
        assert status == 200
        assert "HttpOnly" in headers["Set-Cookie"]
        assert ask(server, "/graph", Cookie=headers["Set-Cookie"].split(";")[0])[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/api/run", "/graph", "/nothing"])
def test_nothing_can_be_written(server: DashboardServer, method: str, path: str) -> None:
    assert ask(server, path, method, b"{}")[0] == 405


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/page/../../pyproject.toml", "/%2e%2e/pyproject.toml", "/..%2fpyproject.toml",
     "/etc/passwd", "//etc/passwd", "/page.js/../server.py", "/server.py", "/page/index.html"],
)  # fmt: skip
def test_no_other_file_is_served(server: DashboardServer, path: str) -> None:
    answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in {b"400", b"404"}, answer


def test_oversized_requests_are_refused(server: DashboardServer) -> None:
    long_line = raw(server, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    long_header = raw(server, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
    assert long_line.split(b" ")[1] == long_header.split(b" ")[1] == b"400"
    assert ask(server, "/api/run", "POST", b"x" * 1_000_000)[0] == 405
    assert ask(server, "/graph")[0] == 200


def test_a_page_of_another_name_cannot_use_the_loopback_server(server: DashboardServer) -> None:
    assert ask(server, "/api/run", Host="attacker.example")[0] == 403
    assert ask(server, "/api/run", Host="localhost:1")[0] == 200


@pytest.mark.parametrize(
    "question",
    [
        "limit=0",
        "limit=9999999",
        "limit=ten",
        "limit=-1",
        "before=soon",
        "before=" + "9" * 30,
        "order=asc",
        "strategy=a&reason=b",
    ],
)
def test_a_wrong_question_is_refused_with_what_was_expected(server: DashboardServer, question: str) -> None:
    status, _, body = ask(server, f"/api/decisions?{question}")
    assert status == 400
    assert "limit 1..500" in json.loads(body)["remedy"]


def test_a_question_reaches_the_source(server: DashboardServer, source: Source) -> None:
    ask(server, "/api/decisions?limit=7&before=123&reason=COOLDOWN")
    assert source.asked == [DecisionQuery(7, 123, "", "", "COOLDOWN")]


def test_readiness_says_why_not(server: DashboardServer, source: Source) -> None:
    source.state = Health(True, False, "halted: KILL_SWITCH")
    assert ask(server, "/healthz")[0] == 200
    status, _, body = ask(server, "/readyz")
    assert (status, json.loads(body)["reason"]) == (503, "halted: KILL_SWITCH")


def test_one_broken_answer_does_not_end_the_server(server: DashboardServer, source: Source) -> None:
    source.broken = True
    status, _, body = ask(server, "/graph")
    assert status == 500
    assert "the graph fell over" in json.loads(body)["error"]
    assert ask(server, "/metrics")[0] == 200


def test_a_taken_port_is_replaced_by_a_free_one(source: Source) -> None:
    with serving(source) as first:
        second = DashboardServer(source, port=first.port)
        second.start()
        try:
            assert second.port not in {0, first.port}
            assert ask(second, "/graph")[0] == 200
        finally:
            second.stop()


def test_an_address_of_another_machine_is_an_error_that_says_so(source: Source) -> None:
    server = DashboardServer(source, "192.0.2.1", 0, TOKEN)
    with pytest.raises(ServerError, match=r"cannot be served on 192\.0\.2\.1"):
        server.start()


def test_idle_connections_are_cut_off_and_leave_room(server: DashboardServer) -> None:
    wires = [
        socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(2 * MAX_CONNECTIONS)
    ]
    try:
        time.sleep(1.0)
        assert ask(server, "/graph")[0] == 200
    finally:
        for wire in wires:
            wire.close()


def test_a_flood_is_slowed_down(server: DashboardServer) -> None:
    statuses: list[int] = []
    until = time.monotonic() + 1.5

    def flood() -> None:
        while time.monotonic() < until:
            statuses.append(ask(server, "/graph")[0])

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) < 60 + 1.5 * 60 + 60  # burst, rate, what waited
    assert ask(server, "/graph")[0] in {200, 429}
