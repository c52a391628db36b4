"""Every broken payload is a typed error or changes nothing; none becomes a wrong object.

A mutation is missing, of a wrong type, cut off, not a number, huge or empty.  A number cut to another valid
number ("42216.4" to "4221") cannot be told from a true one and is none of them.
"""

from __future__ import annotations

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from adapters.bingx.errors import BingxError
from tests.fakes.bingx import views
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx.venue import Venue
from tests.fakes.bingx_payloads import Case, captured, recorded, shown

MUTATIONS = 16_000
MISSING = object()
FREE_TEXT = {"clientOrderId", "clientOrderID", "c", "cancelMsg", "replaceMsg"}
LISTS = {"orders", "fill_history_orders", "success", "failed", "bids", "asks", "bidsCoin", "asksCoin"}
BROKEN: tuple[Any, ...] = (
    MISSING, None, True, [], {}, "", "NaN", "Infinity", "-", "1.", "1e", "0x10", "12 ", "1,5", math.nan,
    math.inf, 1e300, "1e99", 10**30, "9" * 40, -(10**30), b"1", ["1"], {"a": 1},
)  # fmt: skip


def _venue_payloads() -> Any:
    venue = Venue(Settings(hedge=False), Waves(), 1_780_000_000_000)
    buy = {"symbol": "BTC-USDT", "side": "BUY", "positionSide": "BOTH", "type": "MARKET", "quantity": "0.02"}
    venue.place(buy)
    last = venue.markets["BTC-USDT"].last
    stop = buy | {"side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}
    stop |= {"workingType": "CONTRACT_PRICE", "reduceOnly": "true"}
    for part in ("0.97", "0.96"):
        venue.place(stop | {"stopPrice": str(last * type(last)(part))})
    position = venue.account.positions["BTC-USDT", "BOTH"]
    return (
        [json.loads(json.dumps(views.order(venue, o))) for o in venue.orders.values()],
        [json.loads(json.dumps(views.fill_history(venue, f))) for f in venue.fills],
        [json.loads(json.dumps(views.position(venue, position)))],
        [json.loads(json.dumps(c.row())) for c in venue.settings.contracts[:2]],
    )


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _paths(item, (*at, key))
    return found


def _mutated(payload: Any, path: tuple[Any, ...], mutation: Any) -> Any:
    changed = copy.deepcopy(payload)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if mutation is MISSING:
        del parent[path[-1]]
    else:
        parent[path[-1]] = mutation
    return changed


def _is_valid(case: Case, path: tuple[Any, ...], mutation: Any) -> bool:
    """Whether a mutation is something that the venue may send: it makes another object, and rightly so."""
    original = _at(case.payload, path[:-1])[path[-1]]
    if mutation is MISSING or mutation is None or mutation == "":
        return path[-1] in case.optional
    if isinstance(original, list):
        return mutation == [] and path[-1] in LISTS
    return (isinstance(original, bool) and mutation is True) or (
        path[-1] in FREE_TEXT and isinstance(mutation, str)
    )


def _same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)


@pytest.fixture
def cases(shared_dir: Path) -> list[Case]:
    return captured(shared_dir) + recorded(_venue_payloads())


def test_a_mutation_raises_a_typed_error_or_changes_nothing(cases: list[Case]) -> None:
    rng = random.Random(20261125)
    wrong: list[str] = []
    refused = harmless = 0
    originals = {case.name: shown(case.read(copy.deepcopy(case.payload))) for case in cases}
    for _ in range(MUTATIONS):
        case = rng.choice(cases)
        path = rng.choice(_paths(case.payload))
        mutation = rng.choice(BROKEN)
        if isinstance(path[-1], int) and mutation is MISSING:
            continue  # a shorter list is another list
        changed = _mutated(case.payload, path, mutation)
        try:
            found = shown(case.read(changed))
        except BingxError:
            refused += 1
            continue
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            wrong.append(f"{case.name} {path} = {mutation!r}: {type(error).__name__} {error}")
            continue
        if _same(found, originals[case.name]) or _is_valid(case, path, mutation):
            harmless += 1
        else:
            wrong.append(f"{case.name} {path} = {mutation!r}: another object")
    assert not wrong, "\n".join(sorted(set(wrong)))
    assert refused + harmless >= 10_000
    assert refused > 3_000


def test_fields_that_are_not_known_change_nothing(cases: list[Case]) -> None:
    rng = random.Random(7)
    for case in cases:
        original = shown(case.read(copy.deepcopy(case.payload)))
        for _ in range(20):
            changed = copy.deepcopy(case.payload)
            places = [changed] + [_at(changed, path) for path in _paths(changed)]
            target = rng.choice([place for place in places if isinstance(place, dict)])
            target[f"new{rng.randrange(10**6)}"] = rng.choice(BROKEN[1:])
            assert _same(shown(case.read(changed)), original), case.name


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def test_a_payload_that_was_cut_off_is_never_an_object(cases: list[Case]) -> None:
    import orjson

    for case in cases:
        text = json.dumps(case.payload)
        for at in range(1, len(text), max(1, len(text) // 40)):
            with pytest.raises(orjson.JSONDecodeError):
                orjson.loads(text[:at])
