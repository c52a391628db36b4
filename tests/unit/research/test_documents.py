"""What a document may say, and what becomes of a hostile one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from research.dsl import DocumentError, parse_document
from research.dsl.builtin import BUILTIN, builtin_document, builtin_text
from tests.fakes.research import document, random_documents


def raw(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(document().canonical_json())
    return made | changes


def compare(a: Any, b: Any, op: str = "gt") -> dict[str, Any]:
    return {"long": {"op": op, "a": a, "b": b}}


CLOSE = {"op": "close"}
SCORE_OF_BASIS = {"op": "zscore", "x": {"op": "basis"}, "n": 9}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (compare(CLOSE, {"op": "volume"}), "units do not fit: price gt volume"),
        (
            compare({"op": "add", "a": CLOSE, "b": {"op": "rsi", "x": CLOSE, "n": 14}}, CLOSE),
            "units do not fit",
        ),
        (compare({"op": "mul", "a": CLOSE, "b": CLOSE}, CLOSE), "one side of mul must be a ratio"),
        (compare({"op": "div", "a": CLOSE, "b": {"op": "volume"}}, CLOSE), "div takes equal units"),
        (compare(CLOSE, {"op": "const", "value": 100.0, "unit": "price"}), "unit"),
    ],
)
def test_units_are_checked(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_document(raw(entry=entry))


@pytest.mark.parametrize(
    "node",
    [
        {"op": "lag", "x": CLOSE, "n": 0},
        {"op": "lag", "x": CLOSE, "n": -1},
        {"op": "lag", "x": CLOSE, "n": 2.5},
        {"op": "shift", "x": CLOSE, "n": -1},
        {"op": "sma", "x": CLOSE, "n": 1},
        {"op": "sma", "x": CLOSE, "n": 100_000},
        {"op": "sma", "x": CLOSE, "n": "20"},
        {"op": "sma", "x": CLOSE, "n": 20, "centre": True},
        {"op": "higher", "timeframe": "5m", "x": CLOSE},
        {"op": "higher", "timeframe": "1h", "x": CLOSE},
        {"op": "higher", "timeframe": "4h", "x": {"op": "higher", "timeframe": "4h", "x": CLOSE}},
        {"op": "higher", "timeframe": "4h", "x": {"op": "mul", "a": CLOSE, "b": SCORE_OF_BASIS}},
        {"op": "next_close"},
    ],
)  # fmt: skip
def test_a_look_ahead_cannot_be_written(node: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        parse_document(raw(entry=compare(node, CLOSE)))


def nested(levels: int) -> str:
    node = '{"op":"neg","x":' * levels + '{"op":"close"}' + "}" * levels
    text = document().canonical_json()
    return text.replace('{"op":"close"}', node, 1)


HOSTILE = {
    "code in a field": document().canonical_json()[:-1] + ',"code":"__import__(\'os\').system(\'id\')"}',
    "code in a name": document().canonical_json().replace('"plain"', '"__import__(1)"'),
    "path in a name": document().canonical_json().replace('"plain"', '"../../etc/passwd"'),
    "path in an instrument": document().canonical_json().replace('"all"', '["../x"]'),
    "format string in the description": document().canonical_json().replace(
        '"description":""', '"description":"{0.__class__}"'
    ),
    "yaml object": "!!python/object/apply:os.system ['id']",
    "yaml tag": "version: !!int 1",
    "yaml aliases": "a: &a [1,1,1]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]",
    "yaml merge key": "base: 1\n<<: {version: 1}",
    "nan": document().canonical_json().replace("2.0", "NaN"),
    "infinity": document().canonical_json().replace("2.0", "1e999"),
    "yaml nan": builtin_text("breakout_4h").replace("atr: 1.2", "atr: .nan"),
    "number of 5,000 digits": document().canonical_json().replace("2.0", "9" * 5000),
    "30 levels": nested(30),
    "300 levels": nested(300),
    "5,000 brackets": "[" * 5000,
    "5,000 open objects": '{"a":' * 5000,
    "repeated key": document().canonical_json()[:-1] + ',"version":1}',
    "repeated key in yaml": "version: 1\nversion: 1",
    "too long": "#" * 100_000,
    "number as key": "1: 2",
    "nothing": "",
    "a list": "[1, 2]",
    "binary": "\x00\x01",
    "half a document": document().canonical_json()[:200],
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_and_quickly(text: str) -> None:
    started = time.process_time()
    with pytest.raises(DocumentError) as refusal:
        parse_document(text)
    assert time.process_time() - started < 1.0
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**40, object(), b"x", {1: 2}, {"a"}])
def test_hostile_values_in_a_mapping_are_refused(value: Any) -> None:
    with pytest.raises(DocumentError):
        parse_document(raw(confidence=value))


def test_a_mapping_that_holds_itself_is_refused() -> None:
    endless = raw()
    endless["entry"] = endless
    with pytest.raises(DocumentError, match="nested too deeply"):
        parse_document(endless)


def test_too_many_nodes_are_refused() -> None:
    wide: Any = {"op": "gt", "a": CLOSE, "b": {"op": "open"}}
    for _ in range(3):
        wide = {"op": "or", "args": [wide] * 4}
    with pytest.raises(DocumentError, match="too large: 213 nodes"):
        parse_document(raw(entry={"long": wide}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "both"}, "needs entries for long and short, found long"),
        ({"exit": {"short": compare(CLOSE, {"op": "open"})["long"]}}, "an exit for short"),
        ({"time_stop": {"bars": 3, "settlements": 1}}, "either bars or settlements"),
        ({"time_stop": {}}, "either bars or settlements"),
        ({"target": {"kind": "r", "at": [2, 1]}}, "targets must rise"),
        ({"target": {"kind": "price", "x": {"op": "volume"}}}, "must be a price"),
        ({"stop": {"atr": 0.0}}, "stop.atr"),
        ({"timeframe": "2h"}, "timeframe"),
        ({"version": 2}, "version"),
    ],
)
def test_parts_must_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_document(raw(**changes))


def test_canonical_json_reads_back() -> None:
    for made in [*random_documents(60, 1), *(builtin_document(name) for name in BUILTIN)]:
        again = parse_document(made.canonical_json())
        assert again == made
        assert again.document_hash == made.document_hash
        assert again.canonical_json() == made.canonical_json()


def test_hash_names_what_a_document_does() -> None:
    one, two = (
        {"op": "gt", "a": CLOSE, "b": {"op": "open"}},
        {"op": "lt", "a": {"op": "low"}, "b": {"op": "open"}},
    )
    base = document(entry={"long": {"op": "and", "args": [one, two]}})
    assert document(entry={"long": {"op": "and", "args": [two, one]}}).document_hash == base.document_hash
    assert document(name="other", entry=base.model_dump()["entry"]).document_hash == base.document_hash
    assert document(entry={"long": {"op": "or", "args": [one, two]}}).document_hash != base.document_hash
    assert document(stop={"atr": 2.1}).document_hash != document().document_hash
    assert document(stop={"atr": 2}).document_hash == document().document_hash


def test_yaml_and_json_are_one() -> None:
    text = builtin_text("funding_reversion")
    assert parse_document(text) == parse_document(parse_document(text).canonical_json())
