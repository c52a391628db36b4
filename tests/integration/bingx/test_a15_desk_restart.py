"""A15 of the whole desk: a run on VST that is killed goes on with its position, its stop and its target."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import verify_run
from tests.fakes.bingx import threaded
from tests.fakes.bingx.sources import Waves
from tests.fakes.desk_sessions import Sessions, exchange
from tests.fakes.vst_desk import RUN_ID


def test_killed_desk_goes_on_with_its_position_stop_and_target_and_books_what_filled_meanwhile(
    tmp_path: Path, project_dir: Path
) -> None:
    with threaded.running(exchange(tmp_path, client_ids_on_stops=False), Waves(3)) as venue:
        run = Sessions(venue, tmp_path, project_dir)
        run.start()
        run.wait("position, stop and target", run.holds)
        [slot] = run.slots()
        run.pays("-1.25")
        run.wait("the first settlement", lambda: run.booked() == 1)
        run.end(signal.SIGKILL)
        run.pays("0.5")  # between settlement and row there was nobody
        before = venue.do("books")

        run.start("--resume")
        run.wait("the second session", lambda: run.state()["session"] == 2 and run.holds())
        run.wait("the second settlement", lambda: run.booked() == 2)
        adopted = venue.do("books")
        assert [o["orderId"] for o in adopted["orders"]] == [o["orderId"] for o in before["orders"]]
        assert len(adopted["fills"]) == len(before["fills"])

        run.end(signal.SIGKILL)
        venue.do("trade", symbol="BTC-USDT", price=f"{slot['exits']['stop_price'] * 0.99:.1f}", quantity="50")
        assert venue.do("books")["positions"] == []  # the stop did its work while nobody was there

        run.start("--resume")
        run.wait("the end of the position", lambda: run.state()["session"] == 3 and run.slots() == [])
        code, out, errors = run.end(signal.SIGTERM)
        after = venue.do("books")
    assert code == 0, out + errors
    assert [o["type"] for o in after["orders"]].count("MARKET") == 2  # the entry, and what the stop became
    assert all(o["status"] not in {"NEW", "PENDING"} for o in after["orders"])
    folder = RunFolder(tmp_path / "runs" / RUN_ID)
    [trade] = folder.table("trades").to_dict("records")
    assert (trade["exit_reason"], trade["strategy"]) == ("stop", "pulse_1m")
    funding = folder.table("funding")
    assert list(funding["amount_usd"]) == [-1.25, 0.5]
    assert set(funding["trace_id"]) == {trade["trace_id"]}
    assert funding["rate"].isna().all()  # the account says the amount, nothing else
    assert trade["funding_usd"] == -0.75
    assert folder.read_json("summary.json")["venue_funding"]["differing"] == []
    assert verify_run(folder).ok
    fills = folder.table("fills")
    assert list(fills["role"]) == ["entry", "stop"]
    assert [float(f["price"]) for f in after["fills"]] == [float(price) for price in fills["price"]]
    assert list(folder.table("alarms")["kind"]).count("resumed") == 2


@pytest.mark.soak
def test_account_that_others_changed_is_refused_and_each_difference_is_named(
    tmp_path: Path, project_dir: Path
) -> None:
    with threaded.running(exchange(tmp_path), Waves(3)) as venue:
        run = Sessions(venue, tmp_path, project_dir)
        run.start()
        run.wait("position, stop and target", run.holds)
        run.end(signal.SIGKILL)
        asked = {"symbol": "BTC-USDT", "side": "BUY", "positionSide": "BOTH", "quantity": "0.5"}
        venue.call(lambda fake: fake.venue.place(asked | {"type": "MARKET"}))
        venue.call(lambda fake: fake.venue.place(asked | {"type": "LIMIT", "price": "50000"}))
        before = venue.do("books")
        run.start("--resume")
        code, error = run.refused()
        after = venue.do("books")
    assert code == 4
    assert "the demo account is not as this run left it" in error["message"]
    assert "BTC-USDT: the account holds 0.5" in error["found"]
    assert "not of this run" in error["found"]
    assert "resume again" in error["remedy"]
    assert len(after["orders"]) == len(before["orders"])
