"""One of each message the desk sends, for the tests of whatever stores them."""

from __future__ import annotations

from risk.vocabulary import (
    LONG,
    SHORT,
    Alarm,
    Approved,
    CostEstimate,
    DeskMode,
    DeskState,
    EntryDone,
    EntryStyle,
    EquityPoint,
    ExitSpec,
    Fill,
    FundingPaid,
    Mandate,
    MandateRow,
    OrderEvent,
    Protection,
    RefusalReason,
    Refused,
    Regime,
    RegimeLabel,
    Role,
    SafeMode,
    Signal,
    Ticket,
    ToolCall,
    ToolState,
    Trade,
    TradePlan,
)

STRATEGY = "breakout_4h"
INSTRUMENT = "BTCUSDT-PERP.BINANCE"


def trace(ts: int) -> str:
    """Return the trace id of the signal at `ts`."""
    return f"{STRATEGY}/{INSTRUMENT}/{ts}"


def signal(ts: int, confidence: float = 0.6) -> Signal:
    """Return a long signal with a stop 100 below."""
    return Signal(
        trace(ts),
        ts,
        STRATEGY,
        INSTRUMENT,
        240,
        LONG,
        20_000.0,
        ExitSpec(100.0),
        confidence,
        83.0,
        indicators=(("adx", 22.5), ("high", 19_990.0)),
    )


def refused(ts: int, reason: RefusalReason = RefusalReason.COOLDOWN) -> Refused:
    """Return a refusal."""
    return Refused(ts, signal(ts), reason, "2 bars left")


def approved(ts: int) -> Approved:
    """Return an approval in two slices."""
    costs = CostEstimate(10.0, 10.0, 2.0, 2.0, 0.5, 0.245)
    plan = TradePlan(signal(ts), 0.02, 19_900.0, 2.4, 0.8, 400.0, costs, 3.5, 300.0, ("leverage",))
    return Approved(ts, Ticket(plan, EntryStyle.MARKET, (0.01, 0.01), None, 3.6))


def fill(
    ts: int, opened: int, role: Role = Role.ENTRY, quantity: float = 0.01, price: float = 20_000.0
) -> Fill:
    """Return a fill of the long position whose signal came at `opened`."""
    side = LONG if role is Role.ENTRY else SHORT
    order = f"o{ts}{role}"
    return Fill(
        ts,
        ts + 5,
        trace(opened),
        STRATEGY,
        INSTRUMENT,
        order,
        role,
        side,
        quantity,
        price,
        0.1,
        0.02,
        False,
        "VST",
    )


def trade(ts: int, opened: int) -> Trade:
    """Return a closed trade."""
    money = (20_000.0, 20_200.0, 2.0, 0.2, 0.04, -0.01, 1.75, 1.2, 1.458)
    return Trade(opened, ts, trace(opened), STRATEGY, INSTRUMENT, LONG, 0.01, *money, "target_2", "VST")


def equity(ts: int, value: float = 300.0) -> EquityPoint:
    """Return a sample of the books."""
    return EquityPoint(
        ts, value, 300.0, 10.0, 1.0, 0.1, -0.2, 0.5, 0.0, 10.0, 5.0, 1.5, "ACTIVE", 1.25, "bar"
    )


def one_of_each(ts: int) -> list[object]:
    """Return one of every message, all at `ts`."""
    row = MandateRow(STRATEGY, False, (), RefusalReason.REGIME_OFF, "panic")
    return [
        signal(ts),
        refused(ts),
        approved(ts),
        OrderEvent(ts, trace(ts), STRATEGY, INSTRUMENT, "o1", "entry", "submit", LONG, 0.01, 0.0, "market"),
        fill(ts, ts),
        Protection(ts, trace(ts), STRATEGY, INSTRUMENT, 19_900.0, 0.01),
        EntryDone(ts, trace(ts), STRATEGY, INSTRUMENT, 0.01, 20_000.0),
        trade(ts, ts),
        FundingPaid(ts, trace(ts), STRATEGY, INSTRUMENT, LONG, 0.01, 20_000.0, 0.0001, -0.02),
        equity(ts),
        Regime(ts, INSTRUMENT, RegimeLabel.TREND_UP, RegimeLabel.TREND_UP, (("adx", 25.0),)),
        Mandate(ts, INSTRUMENT, RegimeLabel.PANIC, (row,)),
        DeskState(ts, DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, "-1.9 %", ts + 1),
        SafeMode(ts, True, 0.8, ("A", "B"), 0.75),
        ToolCall(ts, "risk", "plan_stops", trace(ts), 1500, ToolState.OK),
        Alarm(ts, "no_stop", trace(ts), "5 s without a stop"),
    ]
