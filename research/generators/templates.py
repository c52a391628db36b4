"""Templates of well-known ideas, tuned by Optuna's TPE sampler on what the research window said.

The optimiser keeps no state of its own between calls: what it knows are the documents in
`context.feedback`, whose parameters are read back from them, so a resumed campaign goes on as if nothing had
happened.  The count of trials belongs to the ledger.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from research.dsl.document import Document
from research.dsl.parse import parse_document
from research.errors import DocumentError
from research.generators.base import Feedback, GenerationContext
from research.generators.collect import collect

if TYPE_CHECKING:
    import optuna

Raw = dict[str, Any]
Parameters = dict[str, float | int | str]
Space = dict[str, tuple[float, float, float]]  # low, high, step; whole numbers where all three are

STARTUP_TRIALS = 12
FAILED_SCORE = -5.0  # an annual Sharpe ratio for what could not be judged


@dataclass(frozen=True, slots=True)
class Template:
    """One idea: its parameters, and the entry (and exit) that they make for a side."""

    name: str
    space: Space
    build: Callable[[Parameters, int], Raw]
    needs_funding: bool = False


CLOSE: Raw = {"op": "close"}


def const(value: float, unit: str = "ratio") -> Raw:
    """Return a constant node."""
    return {"op": "const", "value": round(float(value), 6), "unit": unit}


def _of(op: str, n: Any, x: Raw = CLOSE) -> Raw:
    return {"op": op, "x": x, "n": int(n)}


def _against(side: int, a: Raw, b: Raw) -> Raw:
    return {"op": "gt" if side > 0 else "lt", "a": a, "b": b}


def _both(*args: Raw) -> Raw:
    return {"op": "and", "args": list(args)}


def _channel(p: Parameters, side: int) -> Raw:
    op, of = ("highest", "high") if side > 0 else ("lowest", "low")
    edge = _of(op, p["channel"], {"op": "lag", "x": {"op": of}, "n": 1})
    strong = {"op": "ge", "a": {"op": "adx", "n": 14}, "b": const(float(p["adx"]), "osc")}
    return {"entry": _both(_against(side, CLOSE, edge), strong)}


def _averages(p: Parameters, side: int) -> Raw:
    fast, slow = _of("ema", p["fast"]), _of("ema", int(p["fast"]) * int(p["factor"]))
    cross = "cross_up" if side > 0 else "cross_down"
    trend = {"op": "roc", "x": CLOSE, "n": int(p["momentum"])}
    entry = _both({"op": cross, "a": fast, "b": slow}, _against(side, trend, const(0.0)))
    return {"entry": entry, "exit": _against(-side, fast, slow)}


def _oversold(p: Parameters, side: int) -> Raw:
    level = float(p["level"]) if side > 0 else 100.0 - float(p["level"])
    rsi = _of("rsi", p["rsi"])
    filter_ = _against(side, CLOSE, _of("sma", p["trend"]))
    middle = _against(side, rsi, const(50.0, "osc"))
    return {"entry": _both(_against(-side, rsi, const(level, "osc")), filter_), "exit": middle}


def _bands(p: Parameters, side: int) -> Raw:
    score = _of("zscore", p["window"])
    calm = {"op": "lt", "a": _of("rank", 240, {"op": "div", "a": {"op": "atr", "n": 14}, "b": CLOSE}),
            "b": const(float(p["calm"]))}  # fmt: skip
    out = _against(side, score, const(0.0))
    return {"entry": _both(_against(-side, score, const(-side * float(p["width"]))), calm), "exit": out}


def _expansion(p: Parameters, side: int) -> Raw:
    ranges = {"op": "div", "a": {"op": "atr", "n": 14}, "b": CLOSE}
    return {
        "entry": _both(
            _against(side, CLOSE, {"op": "open"}),
            {"op": "ge", "a": _of("rank", p["window"], ranges), "b": const(float(p["rank"]))},
            {
                "op": "ge",
                "a": _of("rank", p["window"], {"op": "volume"}),
                "b": const(float(p["volume"])),
            },
        )
    }


def _pullback(p: Parameters, side: int) -> Raw:
    slow = _of("ema", p["trend"])
    dip = _against(-side, _of("zscore", p["window"]), const(-side * float(p["dip"])))
    rising = _against(side, slow, {"op": "lag", "x": slow, "n": 10})
    return {"entry": _both(rising, dip, _against(side, CLOSE, slow))}


def _crowded(p: Parameters, side: int) -> Raw:
    paid = {"op": "funding_quantile", "n": 180, "q": float(p["quantile"])}
    rate: Raw = {"op": "funding"}
    if side > 0:
        rate = {"op": "neg", "x": rate}
    fade = _against(-side, _of("zscore", p["window"]), const(side * -float(p["stretch"])))
    return {"entry": _both({"op": "ge", "a": rate, "b": paid}, fade)}


_EXITS: Space = {"stop": (1.0, 4.0, 0.25), "reward": (1.0, 5.0, 0.5), "hold": (12, 120, 12)}

TEMPLATES: tuple[Template, ...] = (
    Template("channel", {"channel": (10, 120, 5), "adx": (10, 35, 5)}, _channel),
    Template("averages", {"fast": (5, 40, 5), "factor": (2, 6, 1), "momentum": (10, 100, 10)}, _averages),
    Template("oversold", {"rsi": (2, 20, 2), "level": (10, 40, 5), "trend": (50, 250, 50)}, _oversold),
    Template("bands", {"window": (10, 100, 10), "width": (1.0, 3.0, 0.25), "calm": (0.3, 0.9, 0.1)}, _bands),
    Template("expansion", {"window": (120, 480, 60), "rank": (0.6, 0.95, 0.05),
                           "volume": (0.6, 0.95, 0.05)}, _expansion),
    Template("pullback", {"trend": (40, 200, 20), "window": (10, 60, 10), "dip": (0.5, 2.5, 0.25)},
             _pullback),
    Template("crowded", {"quantile": (0.6, 0.95, 0.05), "window": (20, 120, 20),
                         "stretch": (0.0, 2.0, 0.25)}, _crowded, needs_funding=True),
)  # fmt: skip
_BY_NAME = {template.name: template for template in TEMPLATES}


class TunedTemplates:
    """Fills the templates; every template gets its share of each round."""

    name = "templates"

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return `count` new documents, the templates in turn."""
        chosen = [t for t in TEMPLATES if context.has_funding or not t.needs_funding]
        studies = {
            template.name: _study(template, seed * 100 + number, context)
            for number, template in enumerate(chosen)
        }

        def draw(number: int) -> Document | None:
            template = chosen[number % len(chosen)]
            study = studies[template.name]
            trial = study.ask(_distributions(template, context))
            try:
                return template_document(template, trial.params, f"t_{seed}_{number}", context)
            except DocumentError:
                study.tell(trial, FAILED_SCORE)
                raise

        return collect(count, draw, context)


def template_document(
    template: Template, parameters: Parameters, name: str, context: GenerationContext
) -> Document:
    """Return the document of a template; its description repeats the parameters."""
    side = 1 if parameters["side"] == "long" else -1
    word = "long" if side > 0 else "short"
    made = template.build(parameters, side)
    told = ", ".join(f"{key} {_number(value)}" for key, value in sorted(parameters.items()))
    return parse_document(
        {
            "version": 1,
            "name": name,
            "description": f"{template.name}: {told}",
            "timeframe": str(parameters["timeframe"]),
            "instruments": list(context.instruments) if context.instruments else "all",
            "direction": word,
            "entry": {word: made["entry"]},
            "exit": {word: made["exit"]} if "exit" in made else {},
            "stop": {"atr": float(parameters["stop"])},
            "target": {"kind": "r", "at": [float(parameters["reward"])]},
            "time_stop": {"bars": int(parameters["hold"])},
        }
    )


def read_parameters(document: Document) -> tuple[Template, Parameters] | None:
    """Return the template and parameters that a document was made of, or None if it was not."""
    head, colon, rest = document.description.partition(": ")
    template = _BY_NAME.get(head)
    if not colon or template is None:
        return None
    found: Parameters = {}
    for part in rest.split(", "):
        key, _, value = part.partition(" ")
        found[key] = value if key in ("side", "timeframe") else _parsed(value)
    if set(found) != {*template.space, *_EXITS, "side", "timeframe"}:
        return None
    return template, found


def _study(template: Template, seed: int, context: GenerationContext) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=STARTUP_TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(template, context)
    for feedback in context.feedback:
        read = read_parameters(feedback.document)
        if read is None or read[0] is not template:
            continue
        value = feedback.score if math.isfinite(feedback.score) else FAILED_SCORE
        try:
            study.add_trial(
                optuna.trial.create_trial(params=read[1], distributions=distributions, value=value)
            )
        except ValueError:
            continue  # another timeframe or space than this campaign's
    return study


def _distributions(template: Template, context: GenerationContext) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {
        "side": CategoricalDistribution(("long", "short")),
        "timeframe": CategoricalDistribution(context.timeframes),
    }
    for key, (low, high, step) in (template.space | _EXITS).items():
        if all(isinstance(bound, int) for bound in (low, high, step)):
            made[key] = IntDistribution(int(low), int(high), step=int(step))
        else:
            made[key] = FloatDistribution(low, high, step=step)
    return made


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


def _parsed(text: str) -> float | int:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


__all__ = ["TEMPLATES", "Feedback", "TunedTemplates", "read_parameters", "template_document"]
