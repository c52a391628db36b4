"""Every trade recomputed from fills and settlements by forty lines that share nothing with the desk.

The desk's ledger books fill by fill at an average price; here a trade's gross is its cash flow, so an error
of averaging, of a half target or of a sign cannot hide in both.
"""

from __future__ import annotations

from decimal import Decimal
from math import fsum

import pandas as pd
import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from tests.acceptance.conftest import RealRuns

pytestmark = pytest.mark.data

CENT = 1e-6  # 8 decimals are rounded at each booking
EACH_RUN = pytest.mark.parametrize("name", ["spot-300", "perps-300-short", "perps-10000-short"])


def trades_from_cash_flows(fills: pd.DataFrame, funding: pd.DataFrame) -> pd.DataFrame:
    """Return one row a flat-to-flat round trip: what went out, what came in, what it cost."""
    fills = fills[~fills["trace_id"].isin(still_open(fills))]
    fills = fills.assign(
        value=fills["quantity"] * fills["price"], flow=-fills["side"] * fills["quantity"] * fills["price"]
    )
    entered = fills[fills["role"] == "entry"].groupby("trace_id")
    left = fills[fills["role"] != "entry"].groupby("trace_id")
    every = fills.groupby("trace_id")
    found = pd.DataFrame(
        {
            "ts_open": entered["ts_event"].min(),
            "ts_event": every["ts_event"].max(),
            "side": entered["side"].first(),
            "quantity": entered["quantity"].sum(),
            "entry_price": entered["value"].sum() / entered["quantity"].sum(),
            "exit_price": left["value"].sum() / left["quantity"].sum(),
            "gross_usd": every["flow"].sum(),
            "fees_usd": every["fee"].sum(),
            "slippage_usd": every["slippage_usd"].sum(),
        }
    )
    found["funding_usd"] = funding.groupby("trace_id")["amount_usd"].sum().reindex(found.index).fillna(0.0)
    found["net_usd"] = found["gross_usd"] - found["fees_usd"] - found["slippage_usd"] + found["funding_usd"]
    return found


def still_open(fills: pd.DataFrame) -> set[str]:
    """Return the trace ids whose fills do not add up to nothing."""
    left: dict[str, Decimal] = {}
    for row in fills.itertuples():
        left[row.trace_id] = left.get(row.trace_id, Decimal(0)) + row.side * Decimal(repr(row.quantity))
    return {trace for trace, quantity in left.items() if quantity}


@pytest.fixture
def folder(real_runs: RealRuns, name: str) -> RunFolder:
    return real_runs.run(name)


@EACH_RUN
def test_trades_are_what_the_fills_and_settlements_make(folder: RunFolder) -> None:
    written = folder.table("trades").set_index("trace_id")
    made = trades_from_cash_flows(folder.table("fills"), folder.table("funding"))
    assert set(written.index) == set(made.index)
    assert written.index.is_unique
    made = made.loc[written.index]
    for column in made.columns:
        worst = (written[column] - made[column]).abs().max()
        scale = made[column].abs().max() if column.endswith("price") or column == "quantity" else 1.0
        assert worst <= CENT * max(1.0, scale), column


@EACH_RUN
def test_r_is_net_over_the_money_that_was_planned_at_the_stop(folder: RunFolder) -> None:
    trades = folder.table("trades").set_index("trace_id")
    decisions = folder.table("decisions").query("approved").set_index("trace_id").loc[trades.index]
    share = trades["quantity"] / decisions["quantity"]
    assert ((share <= 1 + 1e-9) & (share > 0)).all()
    assert (trades["risk_usd"] - decisions["risk_usd"] * share).abs().max() <= CENT
    assert (trades["r"] - trades["net_usd"] / trades["risk_usd"]).abs().max() <= 1e-12


@EACH_RUN
def test_the_last_balance_is_the_start_plus_every_booking(folder: RunFolder) -> None:
    fills, funding, equity = folder.table("fills"), folder.table("funding"), folder.table("equity")
    made = trades_from_cash_flows(fills, funding)
    held = fills[fills["trace_id"].isin(still_open(fills))]
    realised = 0.0
    for _, group in held.groupby("trace_id"):
        entered, left = group[group["role"] == "entry"], group[group["role"] != "entry"]
        average = fsum(entered["quantity"] * entered["price"]) / fsum(entered["quantity"])
        realised += fsum(-left["side"] * left["quantity"] * (left["price"] - average))
    costs = fsum(held["fee"]) + fsum(held["slippage_usd"])
    paid = fsum(funding.loc[funding["trace_id"].isin(set(held["trace_id"])), "amount_usd"])
    balance = folder.facts.starting_equity + fsum(made["net_usd"]) + realised - costs + paid
    assert equity["balance"].iloc[-1] == pytest.approx(balance, abs=1e-5)
