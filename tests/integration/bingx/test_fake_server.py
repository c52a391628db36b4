"""The fake exchange over its wires: signatures, klines, topics, user stream, and every fault."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.bingx.client import Client
from tests.fakes.bingx.contracts import BTC, many
from tests.fakes.bingx.minutes import DAY_MS, MINUTE_MS
from tests.fakes.bingx.rest_faults import NAMED, named
from tests.fakes.bingx.scenario import scenario, until
from tests.fakes.bingx.server import FakeBingx
from tests.fakes.bingx.settings import Settings

START_MS = 1_767_225_600_000
ORDER = "/swap/v2/trade/order"
KLINES = "/swap/v3/quote/klines"
SOME_ORDER = {
    "symbol": "BTC-USDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "positionSide": "BOTH",
}  # fmt: skip


def one_way(**choices: Any) -> FakeBingx:
    return FakeBingx(Settings(**({"hedge": False, "start_ms": START_MS, "speed": 0} | choices)))


@scenario
async def test_signed_calls_need_key_signature_and_clock() -> None:
    async with one_way() as fake, Client(fake) as client:
        balance = "/swap/v3/user/balance"
        assert await client.code("GET", balance) == 0
        fake.rest_faults.clock_skew_ms = 5_001
        assert await client.call("GET", balance) == {
            "code": 109400, "msg": "timestamp is invalid", "data": {},
        }  # fmt: skip
        fake.rest_faults.clock_skew_ms = 0
        client.secret = "wrong"  # pragma: allowlist secret
        assert await client.code("GET", balance) == 100001
        client.key = "wrong"
        assert await client.code("GET", balance) == 100413
        async with client.session.get(
            f"{fake.rest_url}/openApi{balance}?timestamp=1", headers={"X-BX-APIKEY": fake.settings.api_key}
        ) as answer:
            assert (await answer.json())["code"] == 100412


@scenario
async def test_klines_are_newest_first_half_open_capped_and_forget() -> None:
    async with one_way() as fake, Client(fake) as client:
        await fake.advance(90)
        asked = {"symbol": "BTC-USDT", "interval": "1m"}
        start, end = START_MS - 10 * MINUTE_MS, START_MS - 5 * MINUTE_MS
        rows = await client.data("GET", KLINES, **asked, startTime=start, endTime=end)
        assert [row["time"] for row in rows] == [end - n * MINUTE_MS for n in range(1, 6)]
        rows = await client.data("GET", KLINES, **asked, limit=2)
        assert rows[0]["time"] == START_MS + MINUTE_MS  # the bar that is still forming
        wide = await client.data("GET", KLINES, **asked, startTime=START_MS - 3 * DAY_MS, limit=1440)
        assert (len(wide), wide[0]["time"]) == (1000, START_MS + MINUTE_MS)
        gone = START_MS - 700 * DAY_MS
        assert await client.data("GET", KLINES, **asked, startTime=gone, endTime=gone + MINUTE_MS) == []
        kept = await client.data(
            "GET", KLINES, symbol="BTC-USDT", interval="1h", startTime=gone, endTime=gone + DAY_MS
        )
        assert len(kept) == 24
        fake.settings.klines_start_only = "oldest"
        wide = await client.data("GET", KLINES, **asked, startTime=START_MS - 3 * DAY_MS)
        assert wide[-1]["time"] == START_MS - 3 * DAY_MS


@scenario
async def test_funding_history_is_null_when_empty_and_refuses_1001() -> None:
    async with one_way() as fake, Client(fake) as client:
        path = "/swap/v2/quote/fundingRate"
        assert await client.data("GET", path, symbol="BTC-USDT", endTime=1) is None
        assert await client.code("GET", path, symbol="BTC-USDT", limit=1001) == 109400
        rows = await client.data("GET", path, symbol="BTC-USDT", limit=3)
        assert rows[0]["fundingTime"] > rows[-1]["fundingTime"]


@scenario
async def test_every_bar_is_seen_on_the_stream_and_none_says_that_it_is_closed() -> None:
    async with one_way() as fake, Client(fake) as client:
        socket = await client.socket()
        await socket.subscribe("BTC-USDT@kline_1m")
        await fake.advance(300)
        last: dict[int, dict[str, str]] = {}
        while START_MS + 5 * MINUTE_MS not in last:
            frame = await socket.next(lambda f: f.get("dataType") == "BTC-USDT@kline_1m")
            row = frame["data"][0]
            last[row["T"]] = row
        rows = await client.data("GET", KLINES, symbol="BTC-USDT", interval="1m", limit=6)
        closed = {row["time"]: row["close"] for row in rows[1:]}
        assert {t: row["c"] for t, row in last.items() if t < START_MS + 5 * MINUTE_MS} == closed


@scenario
async def test_topics_are_refused_by_name_form_and_number() -> None:
    contracts = (BTC, *many(201))
    async with one_way(contracts=contracts) as fake, Client(fake) as client:
        socket = await client.socket()
        assert (await socket.subscribe("BTC-USDT@kline_1min"))["code"] == 80015
        assert (await socket.subscribe("NONE-USDT@trade"))["code"] == 80015
        await socket.socket.send_str("{}")
        assert (await socket.next(lambda f: "id" in f))["code"] == 80014
        for n in range(200):
            assert (await socket.subscribe(f"T{n:04d}-USDT@trade"))["code"] == 0
        assert (await socket.subscribe("T0200-USDT@trade"))["code"] == 80403
        assert (await socket.subscribe("T0199-USDT@trade"))["code"] == 0  # again: acknowledged


@scenario
async def test_listen_key_lives_an_hour_and_is_extended_by_as_much() -> None:
    async with one_way() as fake, Client(fake) as client:
        path = "/user/auth/userDataStream"
        key = await client.listen_key()
        socket = await client.socket(key)
        await fake.advance(3_000)
        assert await client.status("PUT", path, listenKey=key) == 200
        assert await client.status("PUT", path) == 204
        assert await client.status("PUT", path, listenKey="0" * 64) == 404
        await fake.advance(3_000)
        await client.order("BUY", "MARKET", "0.01")
        await socket.orders(2)
        await fake.advance(700)
        assert (await socket.next(lambda f: f["e"] == "listenKeyExpired"))["listenKey"] == key
        await client.order("BUY", "MARKET", "0.01")
        with pytest.raises(TimeoutError):
            await socket.next(lambda f: f.get("e") == "ORDER_TRADE_UPDATE", timeout_s=0.2)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await client.socket(key)


@scenario
async def test_client_that_does_not_answer_pings_is_dropped_without_a_close_frame() -> None:
    async with one_way(ping_s=0.05, pong_limit_s=0.3) as fake, Client(fake) as client:
        lively = await client.socket()
        mute = await client.session.ws_connect(fake.ws_url, autoping=False)
        with pytest.raises(TimeoutError):
            await lively.next(timeout_s=0.6)
        assert len(fake.stream.connections) == 1
        while (message := await mute.receive()).type is aiohttp.WSMsgType.BINARY:
            pass
        assert mute.close_code == 1006, message


@pytest.mark.parametrize("name", NAMED)
@scenario
async def test_named_rest_fault_hits_the_next_call_and_is_counted(name: str) -> None:
    async with one_way() as fake, Client(fake) as client:
        fake.rest_faults.plan(named("/user/positions", name))
        url = client._url("/swap/v2/user/positions", {})
        async with client.session.get(url, headers=client._headers()) as answer:
            status, text = answer.status, await answer.text()
        kind, expected, body = NAMED[name]
        assert status == (expected if kind == "status" else 200)
        if kind == "code":
            assert json.loads(text)["code"] == expected
        if kind == "wrong_type":
            assert (json.loads(text)["code"], json.loads(text)["data"]) == (0, body)
        assert fake.rest_faults.counts[f"rest {name}"] == 1
        assert await client.data("GET", "/swap/v2/user/positions") == []


@pytest.mark.parametrize(
    ("kind", "executed"),
    [
        ("drop_before", False),
        ("hang_before", False),
        ("drop_after", True),
        ("truncate", True),
        ("hang", True),
    ],
)
@scenario
async def test_broken_order_call_is_executed_or_not_as_its_name_says(kind: str, executed: bool) -> None:
    async with one_way() as fake, Client(fake) as client:
        fake.rest_faults.plan(named("/trade/order", kind, method="POST", seconds=0.05))
        try:
            answer = await client.call("POST", ORDER, **SOME_ORDER, clientOrderID="a-1")
        except (aiohttp.ClientError, json.JSONDecodeError):
            answer = None
        assert (answer is not None) == (kind == "hang")
        assert ("a-1" in fake.venue.by_client_id) == executed
        found = await client.code("GET", ORDER, symbol="BTC-USDT", clientOrderID="a-1")
        assert found == (0 if executed else 109421)


@scenario
async def test_duplicated_rows_and_random_faults_come_from_a_seed() -> None:
    async def run(seed: int) -> list[str]:
        async with one_way() as fake, Client(fake) as client:
            fake.rest_faults.at_random(seed, 0.5, ("rate_109429", "duplicate_row", "busy"))
            for _ in range(20):
                await client.call("GET", "/swap/v2/quote/contracts")
            return sorted(fake.rest_faults.counts.elements())

    assert await run(1) == await run(1)
    assert len(await run(1)) in range(5, 16)
    async with one_way() as fake, Client(fake) as client:
        fake.rest_faults.plan(named("/contracts", "duplicate_row"))
        rows = await client.data("GET", "/swap/v2/quote/contracts")
        assert rows[0] == rows[1]


@pytest.mark.parametrize("kind", ["bad_gzip", "bad_json", "truncate", "text", "duplicate", "drop"])
@scenario
async def test_frame_fault_spoils_one_frame(kind: str) -> None:
    async with one_way() as fake, Client(fake) as client:
        socket = await client.socket()
        await socket.subscribe("BTC-USDT@trade")
        await fake.control.apply({"do": "frame_fault", "kind": kind})
        await fake.trade("BTC-USDT", 64_000)
        await fake.trade("BTC-USDT", 63_000)
        seen: list[float | str] = []
        while 63_000.0 not in seen:
            try:
                frame = await socket.next()
            except Exception as error:  # noqa: BLE001  (a bad frame fails in its own way)
                seen.append(type(error).__name__)
                continue
            seen.append(float(frame["data"][0]["p"]))
        spoiled = {"duplicate": [64_000.0, 64_000.0, 63_000.0], "drop": [63_000.0]}
        assert seen == spoiled.get(kind, seen)
        assert len(seen) == {"duplicate": 3, "drop": 1}.get(kind, 2)
        assert fake.stream_faults.counts[f"frame {kind}"] == 1


@scenario
async def test_frames_are_reordered_delayed_muted_and_stopped() -> None:
    async with one_way(ping_s=0.05) as fake, Client(fake) as client:
        socket = await client.socket()
        await socket.subscribe("BTC-USDT@trade")

        async def prices(*sent: int) -> list[float]:
            for price in sent:
                await fake.trade("BTC-USDT", price)
            return [float((await socket.next())["data"][0]["p"]) for _ in sent]

        await fake.control.apply({"do": "stream", "reorder": {"public": 3}})
        assert await prices(64_001, 64_002, 64_003) == [64_003, 64_002, 64_001]
        await fake.control.apply({"do": "stream", "delay_s": 0.2})
        began = asyncio.get_running_loop().time()
        await prices(64_004)
        assert asyncio.get_running_loop().time() - began >= 0.2
        await fake.control.apply({"do": "stream", "delay_s": 0, "muted_topics": ["BTC-USDT@trade"]})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await prices(64_005)
        await fake.control.apply({"do": "stream", "muted_topics": [], "data": False})
        pings = socket.pings
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await prices(64_006)
        assert socket.pings > pings  # alive, but says nothing
        await fake.control.apply({"do": "stream", "data": True, "ping": False})
        assert await prices(64_007) == [64_007]


@scenario
async def test_handshakes_topics_and_acknowledgements_can_be_refused() -> None:
    async with one_way(sockets=2) as fake, Client(fake) as client:
        await fake.control.apply({"do": "stream", "refuse_handshakes": [[503, 7], [401, 1]]})
        for status in (503, 401):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await client.socket()
            assert (caught.value.status, "Retry-After" in (caught.value.headers or {})) == (status, True)
        socket, other = await client.socket(), await client.socket()
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.socket()
        assert not other.socket.closed
        await fake.control.apply(
            {"do": "stream", "refuse_topics": {"BTC-USDT@ticker": 80015}, "leak_after_refusal": True}
        )
        assert (await socket.subscribe("BTC-USDT@ticker"))["code"] == 80015
        assert (await socket.next())["dataType"] == "BTC-USDT@ticker"
        await fake.control.apply({"do": "stream", "skip_acks": 1})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await socket.subscribe("BTC-USDT@trade")
        await fake.trade("BTC-USDT", 64_000)
        assert (await socket.next())["dataType"] == "BTC-USDT@trade"  # subscribed all the same


@scenario
async def test_sockets_close_with_a_code_or_break() -> None:
    async with one_way() as fake, Client(fake) as client:
        closed, broken = await client.socket(), await client.socket()
        await until(lambda: len(fake.stream.connections) == 2)
        await fake.stream.connections[0].close(1001)
        await closed.socket.receive()
        assert closed.socket.close_code == 1001
        await fake.control.apply({"do": "close_sockets", "code": None})
        await broken.socket.receive()
        assert broken.socket.close_code == 1006


@pytest.mark.parametrize(("when", "first"), [("before", "event"), ("after", "answer"), ("never", "answer")])
@scenario
async def test_user_events_race_with_the_answer_as_chosen(when: str, first: str) -> None:
    async with one_way(events=when) as fake, Client(fake) as client:
        socket = await client.socket(await client.listen_key())
        order: list[str] = []

        async def events() -> None:
            await socket.orders(2)
            order.append("event")

        async def answer() -> None:
            fake.rest_faults.plan(named("/trade/order", "hang", seconds=0.02 if when == "before" else 0.0))
            await client.order("BUY", "MARKET", "0.01")
            order.append("answer")

        waiting = asyncio.create_task(events())
        await answer()
        await asyncio.wait([waiting], timeout=0.2)
        waiting.cancel()
        assert order[0] == first
        assert ("event" in order) == (when != "never")


@scenario
async def test_rate_limit_is_enforced_when_asked_for() -> None:
    async with one_way(enforce_rate_limits=True) as fake, Client(fake) as client:
        codes = [await client.code("GET", "/swap/v3/user/balance") for _ in range(7)]
        assert codes[:5] == [0] * 5
        assert codes[5:] == [100410] * 2


def test_a_live_exchange_does_not_start_by_accident() -> None:
    with pytest.raises(ValueError, match="allow_live"):
        FakeBingx(Settings(host="live"))


@scenario
async def test_program_prints_its_addresses_and_obeys_the_control_port(project_dir: Path) -> None:
    command = [sys.executable, "-m", "tests.fakes.bingx", "--speed", "60", "--one-way"]
    process = subprocess.Popen(command, cwd=project_dir, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        where = json.loads(await asyncio.to_thread(process.stdout.readline))
        async with aiohttp.ClientSession() as session:
            for address in (where["rest"], where["control"]):
                assert address.startswith("http://127.0.0.1:")
            async with session.get(f"{where['rest']}/openApi/swap/v2/server/time") as answer:
                first = (await answer.json())["data"]["serverTime"]
            await asyncio.sleep(0.2)
            async with session.get(f"{where['rest']}/openApi/swap/v2/server/time") as answer:
                passed = (await answer.json())["data"]["serverTime"] - first
            assert passed >= 60 * 200
            async with session.post(where["control"], json={"do": "books"}) as answer:
                assert (await answer.json())["result"]["balance"]["asset"] == "VST"
            async with session.post(where["control"], json={"do": "nothing"}) as answer:
                assert answer.status == 400
    finally:
        process.terminate()
        assert process.wait(10) == 0
        if process.stdout is not None:
            process.stdout.close()
