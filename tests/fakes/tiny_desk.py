"""A tiny simulated desk: consistent books, a few of every event, quick to play.

The simulator is not the desk: it draws signals from a seeded generator, obeys the governance limits by
simple arithmetic and keeps books of its own, so that the reports and the checker have something true to
read.  Messages are recorded in the order in which the real desk publishes them (orders before their
decision before its signal, a trade before the fill that closed it).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crupto_nautilus.reports.recording import Recording
from risk.vocabulary import (
    DAY_NS,
    HOUR_NS,
    MINUTE_NS,
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
    OrderEvent,
    Protection,
    RefusalReason,
    Refused,
    Regime,
    RegimeLabel,
    SafeMode,
    Signal,
    Ticket,
    ToolCall,
    ToolState,
    Trade,
    TradePlan,
)
from tests.fakes.tiny_market import (
    BAR_NS,
    CAP,
    COOLING_NS,
    INSTRUMENTS,
    LIMITS,
    MAKER,
    SLIP,
    START_NS,
    STRATEGIES,
    TAKER,
    Held,
    money,
)


@dataclass
class TinyDesk:
    """The simulated desk; `play` fills `recording`."""

    days: int = 40
    seed: int = 7
    drift: float = 0.0  # per bar, in favour of whatever is held
    equity0: float = 300.0
    signal_rate: float = 1.0
    recording: Recording = field(default_factory=Recording)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.balance = self.equity0
        self.held: dict[tuple[str, str], Held] = {}
        self.mark = {name: first for name, (first, *_) in INSTRUMENTS.items()}
        self.closes: dict[str, list[float]] = {name: [] for name in INSTRUMENTS}
        self.stamps: list[int] = []
        self.cum_r, self.day_start, self.day = 0.0, self.equity0, START_NS // DAY_NS
        self.window: list[tuple[int, float]] = [(START_NS, self.equity0)]
        self.state = DeskState(START_NS, DeskMode.ACTIVE)
        self.regimes = dict.fromkeys(INSTRUMENTS, RegimeLabel.RANGE_LOWVOL)
        self.funding_times: list[int] = []
        self.last_equity = self.equity0
        self.orders = 0

    # --- books ---------------------------------------------------------------------------------------------

    @property
    def unrealised(self) -> float:
        return sum(
            (self.mark[h.signal.instrument] - h.price) * h.signal.side * h.quantity
            for h in self.held.values()
        )

    @property
    def equity(self) -> float:
        return self.balance + self.unrealised

    def book(self, extra_risk: float = 0.0, extra_notional: float = 0.0) -> dict[str, float]:
        """The snapshot columns, with a candidate's (reserved) risk and signed notional added."""
        held, equity = self.held.values(), self.equity
        value = [h.signal.side * h.quantity * self.mark[h.signal.instrument] for h in held]
        risk = [(max(0.0, (h.price - h.stop) * h.signal.side) + h.exit_cost) * h.quantity for h in held]
        return {
            "equity": equity,
            "risk_equity": equity,
            "open_risk_pct": 100 * sum(risk) / equity,
            "reserved_risk_pct": 100 * extra_risk / equity,
            "gross_pct": 100 * (sum(map(abs, value)) + abs(extra_notional)) / equity,
            "net_pct": 100 * (sum(value) + extra_notional) / equity,
            "effective_cap_pct": LIMITS.max_portfolio_r_pct,
        }

    def losses(self, ts: int) -> tuple[float, float]:
        """Sample equity; daily PnL and 72 h drawdown in percent."""
        equity = self.equity
        self.window = [w for w in self.window if w[0] > ts - 3 * DAY_NS and w[1] > equity] + [(ts, equity)]
        return 100 * (equity / self.day_start - 1), 100 * (equity / self.window[0][1] - 1)

    def sample(self, ts: int, cause: str) -> None:
        b, equity = self.book(), self.equity
        daily, drawdown = self.losses(ts)
        margin = sum(h.price * h.quantity for h in self.held.values()) / CAP
        self.recording.add(
            EquityPoint(
                ts, equity, self.balance, margin, self.unrealised, daily, drawdown, b["open_risk_pct"], 0.0,
                b["gross_pct"], b["net_pct"], b["effective_cap_pct"], self.state.mode, self.cum_r, cause,
            )
        )  # fmt: skip

    # --- orders --------------------------------------------------------------------------------------------

    def order(self, ts: int, s: Signal, role: str, action: str, side: int, quantity: float, price: float,
              kind: str, order_id: str = "", reason: str = "") -> str:  # fmt: skip
        if not order_id:
            self.orders += 1
            order_id = f"o{self.orders:05d}"
        self.recording.add(
            OrderEvent(ts, s.trace_id, s.strategy, s.instrument, order_id, role, action, side, quantity,
                       price, kind, role != "entry", reason)
        )  # fmt: skip
        return order_id

    def fill(self, ts: int, s: Signal, role: str, order_id: str, side: int, quantity: float, price: float,
             maker: bool) -> Fill:  # fmt: skip
        fee = money(quantity * price * (MAKER if maker else TAKER))
        slip = 0.0 if maker else money(quantity * price * SLIP)
        return Fill(ts, ts, s.trace_id, s.strategy, s.instrument, order_id, role, side, quantity, price, fee,
                    slip, maker)  # fmt: skip

    def charge(self, fill: Fill) -> None:
        self.balance = money(self.balance - money(fill.commission))

    def enter(self, ts: int, s: Signal, plan: TradePlan, order_id: str, maker: bool) -> None:
        tick, digits = INSTRUMENTS[s.instrument][1:3]
        fill = self.fill(ts, s, "entry", order_id, s.side, plan.quantity, s.reference_price, maker)
        stop = round(round((s.reference_price - s.side * s.exits.stop_distance) / tick) * tick, digits)
        until = ts + (s.exits.time_stop_bars or 0) * s.minutes * MINUTE_NS
        h = Held(s, plan.quantity, s.reference_price, ts, plan.risk_usd / plan.quantity,
                 s.reference_price * (TAKER + SLIP), stop, "", {}, until, plan.quantity,
                 fees=fill.fee, slip=fill.slippage_usd)  # fmt: skip
        self.charge(fill)
        self.held[s.strategy, s.instrument] = h
        self.recording.add(fill)
        self.sample(ts, "fill")
        h.stop_id = self.order(ts, s, "stop", "submit", -s.side, h.quantity, stop, "stop_market")
        half = self.floor(s.instrument, h.quantity / 2)
        if half > 0 and len(s.exits.targets_r) == 2:
            parts = (("target_1", half, 1.0), ("target_2", round(h.quantity - half, 8), 2.0))
            for role, quantity, r in parts:
                price = round(round((h.price + s.side * r * s.exits.stop_distance) / tick) * tick, digits)
                h.targets[role] = (
                    self.order(ts, s, role, "submit", -s.side, quantity, price, "limit"),
                    price,
                    quantity,
                )
        self.recording.add_entry(
            EntryDone(ts, s.trace_id, s.strategy, s.instrument, h.quantity, h.price), self.book()
        )
        self.order(ts, s, "stop", "accepted", -s.side, h.quantity, stop, "stop_market", h.stop_id)
        self.recording.add(Protection(ts, s.trace_id, s.strategy, s.instrument, stop, h.quantity))

    def leave(
        self, ts: int, h: Held, role: str, order_id: str, quantity: float, price: float, maker: bool
    ) -> None:
        s = h.signal
        fill = self.fill(ts, s, role, order_id, -s.side, quantity, price, maker)
        gross = money((price - h.price) * s.side * quantity)
        self.charge(fill)
        self.balance = money(self.balance + gross)
        h.gross += gross
        h.fees += fill.fee
        h.slip += fill.slippage_usd
        h.exit_value += quantity * price
        h.quantity = round(h.quantity - quantity, 8)
        if h.quantity == 0:
            del self.held[s.strategy, s.instrument]
            net, risk = money(h.gross - h.fees - h.slip + h.funding), h.loss_per_unit * h.entered
            self.cum_r += net / risk
            self.recording.add(
                Trade(h.ts, ts, s.trace_id, s.strategy, s.instrument, s.side, h.entered, h.price,
                      h.exit_value / h.entered, h.gross, h.fees, h.slip, h.funding, net, risk, net / risk,
                      role)
            )  # fmt: skip
        self.recording.add(fill)
        self.sample(ts, "fill")
        if h.quantity == 0:
            return
        tick, digits = INSTRUMENTS[s.instrument][
            1:3
        ]  # the first target: stop to break-even and to what is left
        h.stop = round(round(h.price * (1 + s.side * 2 * (TAKER + SLIP)) / tick) * tick, digits)
        self.order(ts, s, "stop", "modify", -s.side, h.quantity, h.stop, "stop_market", h.stop_id)
        self.order(ts, s, "stop", "updated", -s.side, h.quantity, h.stop, "stop_market", h.stop_id)
        self.recording.add(Protection(ts, s.trace_id, s.strategy, s.instrument, h.stop, h.quantity))

    @staticmethod
    def floor(instrument: str, quantity: float) -> float:
        step, digits = INSTRUMENTS[instrument][3:]
        return round(np.floor(quantity / step + 1e-9) * step, digits)

    # --- one instant ---------------------------------------------------------------------------------------

    def play(self) -> TinyDesk:
        for i in range(1, self.days * DAY_NS // BAR_NS + 1):
            self.instant(START_NS + i * BAR_NS)
        self.recording.add(Alarm(START_NS + DAY_NS, "drift", "portfolio", "a sample alarm"))
        for duration in (9_000, 12_000, 400_000):
            self.recording.add(ToolCall(START_NS, "risk", "plan_position", "", duration, ToolState.OK))
        return self

    def instant(self, ts: int) -> None:
        before = dict(self.mark)
        self.stamps.append(ts)
        common = self.random.normal(0, 0.0022)
        for name, (_, tick, digits, *_) in INSTRUMENTS.items():
            bias = self.drift * sum(h.signal.side for h in self.held.values() if h.signal.instrument == name)
            move = 0.7 * common + self.random.normal(0, 0.0016) + bias
            self.mark[name] = round(round(before[name] * (1 + move) / tick) * tick, digits)
            self.closes[name].append(self.mark[name])
        for h in list(self.held.values()):
            self.match(ts, h)
        if ts % (8 * HOUR_NS) == 0:
            self.settle(ts)
        self.govern(ts)
        self.label(ts)
        for strategy, (minutes, chance) in STRATEGIES.items():
            if ts % (minutes * MINUTE_NS) == 0:
                for name in INSTRUMENTS:
                    h = self.held.get((strategy, name))
                    if h is not None and ts >= h.until:
                        self.close(ts, h, "time_stop")
                    elif self.random.random() < chance * self.signal_rate:
                        self.speak(ts, strategy, minutes, name)
        if ts % HOUR_NS == 0:
            self.sample(ts, "bar")

    def match(self, ts: int, h: Held) -> None:
        s, mark = h.signal, self.mark[h.signal.instrument]
        if (mark - h.stop) * s.side <= 0:
            for role, (order_id, price, quantity) in h.targets.items():
                self.order(ts, s, role, "cancel", -s.side, quantity, price, "limit", order_id)
                self.order(ts, s, role, "canceled", -s.side, quantity, price, "limit", order_id)
            self.leave(ts, h, "stop", h.stop_id, h.quantity, mark, maker=False)
            return
        for role in list(h.targets):
            order_id, price, quantity = h.targets[role]
            if (mark - price) * s.side > 0:
                del h.targets[role]
                self.leave(ts, h, role, order_id, quantity, price, maker=True)

    def close(self, ts: int, h: Held, reason: str) -> None:
        s = h.signal
        for role, (order_id, price, quantity) in h.targets.items():
            self.order(ts, s, role, "cancel", -s.side, quantity, price, "limit", order_id)
        quantity, mark = h.quantity, self.mark[s.instrument]
        order_id = self.order(ts, s, "exit", "submit", -s.side, quantity, 0.0, "market", reason=reason)
        for role, (target_id, price, part) in h.targets.items():
            self.order(ts, s, role, "canceled", -s.side, part, price, "limit", target_id)
        self.leave(ts, h, "exit", order_id, quantity, mark, maker=False)
        self.order(ts, s, "stop", "cancel", -s.side, quantity, h.stop, "stop_market", h.stop_id)
        self.order(ts, s, "stop", "canceled", -s.side, quantity, h.stop, "stop_market", h.stop_id)

    def settle(self, ts: int) -> None:
        self.funding_times.append(ts)
        for h in self.held.values():
            s, mark = h.signal, self.mark[h.signal.instrument]
            amount = money(-s.side * h.quantity * mark * 0.0001)
            self.balance = money(self.balance + amount)
            h.funding = money(h.funding + amount)
            self.recording.add(
                FundingPaid(
                    ts, s.trace_id, s.strategy, s.instrument, s.side, h.quantity, mark, 0.0001, amount
                )
            )

    def govern(self, ts: int) -> None:
        if ts // DAY_NS != self.day:
            self.day, self.day_start = ts // DAY_NS, self.last_equity
            if self.state.mode is DeskMode.REDUCE_ONLY:
                self.change(ts, DeskMode.ACTIVE, None, "new day", self.state.cooling_until_ns)
        if self.state.mode is DeskMode.HALTED and ts - self.state.ts_event >= DAY_NS:
            self.window = []
            self.change(ts, DeskMode.ACTIVE, None, "operator: seen", ts + COOLING_NS)
        daily, drawdown = self.losses(ts)
        if self.state.mode is not DeskMode.HALTED and drawdown <= -LIMITS.kill_switch_drawdown_72h:
            self.change(ts, DeskMode.HALTED, RefusalReason.KILL_SWITCH, f"72 h drawdown {drawdown:.2f} %")
            for h in list(self.held.values()):
                self.close(ts, h, "kill_switch")
        elif self.state.mode is DeskMode.ACTIVE and daily <= -LIMITS.max_daily_loss_pct:
            self.change(
                ts, DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, f"day {daily:.2f} %", ts + COOLING_NS
            )
        self.last_equity = self.equity

    def change(
        self, ts: int, mode: DeskMode, reason: RefusalReason | None, detail: str, cooling: int = 0
    ) -> None:
        self.state = DeskState(ts, mode, reason, detail, cooling, flatten=mode is DeskMode.HALTED)
        self.recording.add(self.state)

    def label(self, ts: int) -> None:
        if ts % HOUR_NS:
            return
        labels = [label for label in RegimeLabel if label is not RegimeLabel.UNKNOWN]
        for name in INSTRUMENTS:
            if self.random.random() < 0.06:
                label = labels[int(self.random.integers(len(labels)))]
                self.regimes[name] = label
                self.recording.add(Regime(ts, name, label, label, (("adx", 20.0),)))
        if self.random.random() < 0.01:
            pair = ("BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE")
            self.recording.add(SafeMode(ts, False, 0.4, pair, LIMITS.max_portfolio_r_pct))

    # --- decisions -----------------------------------------------------------------------------------------

    def speak(self, ts: int, strategy: str, minutes: int, name: str) -> None:
        side = 1 if self.random.random() < 0.5 else -1
        price = self.mark[name]
        distance = price * (0.02 if minutes == 240 else 0.009)
        targets = (1.0, 2.0) if minutes != 60 else ()
        style = EntryStyle.POST_ONLY if minutes == 60 else EntryStyle.MARKET
        spec = ExitSpec(distance, targets, time_stop_bars={240: 6, 60: 10, 15: 30}[minutes])
        s = Signal(f"{strategy}/{name}/{ts}", ts, strategy, name, minutes, side, price, spec, 0.6,
                   distance / 1.5, style, (("rank", round(float(self.random.random()), 4)),))  # fmt: skip
        answer = self.decide(ts, s)
        extra = (0.0, 0.0)
        maker = style is not EntryStyle.MARKET
        order_id = ""
        if isinstance(answer, TradePlan):
            extra = (answer.risk_usd, side * answer.notional_usd)
            kind = "limit" if maker else "market"
            order_id = self.order(
                ts, s, "entry", "submit", side, answer.quantity, price if maker else 0.0, kind
            )
            ticket = Ticket(answer, style, (answer.quantity,), price if maker else None, 1.0)
            decision: Approved | Refused = Approved(ts, ticket)
        else:
            decision = answer
        self.recording.add_decision(
            decision, regime=self.regimes[name], desk_mode=self.state.mode, snapshot=self.book(*extra)
        )
        self.recording.add(s)
        if isinstance(answer, TradePlan):
            if maker and self.random.random() < 0.3:  # nothing came of a resting order
                self.order(ts, s, "entry", "canceled", side, answer.quantity, price, "limit", order_id)
                self.recording.add_entry(
                    EntryDone(ts, s.trace_id, strategy, name, 0.0, 0.0, "expired"), self.book()
                )
            else:
                self.enter(ts, s, answer, order_id, maker)

    def decide(self, ts: int, s: Signal) -> TradePlan | Refused:
        if self.state.mode is not DeskMode.ACTIVE:
            return Refused(ts, s, self.state.reason or RefusalReason.OPERATOR_HALT, self.state.detail)
        if ts < self.state.cooling_until_ns:
            return Refused(ts, s, RefusalReason.COOLING, "after a daily lock")
        if self.regimes[s.instrument] is RegimeLabel.PANIC:
            return Refused(ts, s, RefusalReason.REGIME_OFF, "panic")
        if (s.strategy, s.instrument) in self.held:
            return Refused(ts, s, RefusalReason.ALREADY_OPEN)
        if any(h.signal.instrument == s.instrument and h.signal.side != s.side for h in self.held.values()):
            return Refused(ts, s, RefusalReason.OPPOSING_POSITION)
        equity, book, price = self.equity, self.book(), s.reference_price
        unit = s.exits.stop_distance + price * 2 * (TAKER + SLIP)
        room = LIMITS.max_portfolio_r_pct - book["open_risk_pct"]
        quantity = self.floor(s.instrument, min(0.5, room) / 100 * equity / unit)
        notional = quantity * price
        if quantity <= 0 or notional < 5:
            return Refused(ts, s, RefusalReason.NO_RISK_LEFT, f"{room:.2f} % left")
        net = book["net_pct"] + 100 * s.side * notional / equity
        if abs(net) > LIMITS.max_net_exposure_pct:
            return Refused(ts, s, RefusalReason.NET_EXPOSURE, f"{net:.0f} %")
        cost = CostEstimate(price * TAKER, price * TAKER, price * SLIP, price * SLIP, 0.0,
                            price * 2 * (TAKER + SLIP) / s.exits.stop_distance)  # fmt: skip
        risk = quantity * unit
        return TradePlan(s, quantity, s.stop_price, risk, 100 * risk / equity, notional, cost, 1.0, equity)
