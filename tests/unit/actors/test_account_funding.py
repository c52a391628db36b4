"""What an account says of funding reaches the books and the record, and its silence is told once."""

from __future__ import annotations

from actors.account_funding import FUNDING_UNREAD, AccountFundingIntake
from risk.engine import RiskDesk
from risk.vocabulary import AccountFunding, Alarm, FundingPaid
from tests.unit.risk.builders import BTC, ETH, World


class Account:
    """A source that is filled by hand."""

    def __init__(self) -> None:
        self.rows: list[AccountFunding] = []
        self.trouble = ""

    def take(self) -> tuple[list[AccountFunding], int]:
        rows, self.rows = self.rows, []
        return rows, 77


def test_rows_are_booked_foreign_ones_told_and_trouble_begins_and_ends_once() -> None:
    world, account = World({BTC: 100.0, ETH: 10.0}), Account()
    desk = world.desk = RiskDesk(
        world.desk.settings, world.rules, dict.fromkeys(world.rules, 15), 10_000.0, account_settles=True
    )
    intake = AccountFundingIntake(account, desk)
    world.step()
    world.fill(world.plan())
    account.rows = [AccountFunding("1", BTC, world.ts, -0.5), AccountFunding("1", BTC, world.ts, -0.5)]
    [paid] = intake.take(world.ts)
    assert isinstance(paid, FundingPaid)
    assert (paid.amount_usd, desk.books.funding_usd) == (-0.5, -0.5)
    assert desk.state()["settlements"]["read_ns"] == 77

    account.rows = [AccountFunding("2", ETH, world.ts, -0.5)]
    [told] = intake.take(world.ts)
    assert isinstance(told, Alarm)
    assert (told.kind, told.subject) == ("foreign_change", ETH)

    account.trouble = "the account's income could not be read for 10 minutes: busy"
    [told] = intake.take(world.ts)
    assert isinstance(told, Alarm)
    assert (told.kind, told.detail) == (FUNDING_UNREAD, account.trouble)
    assert list(intake.take(world.ts)) == []
    account.trouble = ""
    [told] = intake.take(world.ts)
    assert isinstance(told, Alarm)
    assert "read again" in told.detail
