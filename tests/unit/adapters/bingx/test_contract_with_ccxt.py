"""What the adapter relies on in ccxt; an upgrade that changes it fails here."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.bingx.config import VST, Credentials
from adapters.bingx.errors import SafetyStop
from adapters.bingx.rest import ENDPOINTS, PLACE, BingxRest
from adapters.live.timebase import ScaledTime

# Published in the vendor's documentation of signing, with the signature below.
SECRET = "".join(
    (
        "mheO6dR8ovSsxZQCOYEFCtelpuxcWGTfHw7te326y6",  # pragma: allowlist secret
        "jOwq5WpvFQ9JNljoTwBXZGv5It07m9RXSPpDQEK2w",  # pragma: allowlist secret
    )
)
SIGNATURE = "f8d883609dfd31c824feb4de865b071008dedb1d461451fa70847875c8e7a7a2"  # pragma: allowlist secret


@pytest.fixture
def exchange() -> Any:
    rest = BingxRest(VST, Credentials.of("made-up-key", SECRET), timebase=ScaledTime(1_696_751_141_337, 1e-9))
    return rest._build()


def test_every_request_has_its_implicit_method(exchange: Any) -> None:
    assert [e.method for e in ENDPOINTS if not callable(getattr(exchange, e.method, None))] == []


def test_the_signature_is_the_one_of_the_vendors_example(exchange: Any) -> None:
    params = {"symbol": "BTC-USDT", "recvWindow": "0"}
    signed = exchange.sign("trade/openOrders", ["swap", "v2", "private"], "GET", params)
    query = parse_qs(urlsplit(signed["url"]).query)
    assert query["timestamp"] == ["1696751141337"]  # our measured time, not ccxt's clock
    assert query["signature"] == [SIGNATURE]
    assert signed["headers"]["X-BX-APIKEY"] == "made-up-key"  # pragma: allowlist secret


def test_every_product_points_at_the_one_host_that_was_checked(exchange: Any) -> None:
    addresses = {url for name, url in exchange.urls["api"].items() if name != "ws"}
    assert addresses == {"https://open-api-vst.bingx.com/openApi"}


def test_prices_are_sent_as_they_are_written(exchange: Any) -> None:
    params = {"symbol": "PEPE-USDT", "price": "0.000000123", "clientOrderID": "abc-r1"}
    signed = exchange.sign("trade/order", ["swap", "v2", "private"], "POST", params)
    assert "price=0.000000123&" in signed["url"]
    assert signed["body"] is None


def test_judgement_is_left_to_the_adapter(exchange: Any) -> None:
    answer = {"code": 109429, "msg": "too many"}
    assert exchange.handle_errors(200, "", "", "", {}, "", answer, {}, {}) is None
    assert exchange.enableRateLimit is False


def test_a_key_is_never_given_to_a_host_with_real_money() -> None:
    from adapters.bingx.config import LIVE_DATA

    with pytest.raises(SafetyStop):
        BingxRest(LIVE_DATA, Credentials.of("made-up-key", SECRET))
    assert PLACE.repeatable is False
