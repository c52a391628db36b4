"""`research/GATES.md`, made from the gate file: a test compares, so the page cannot drift."""

from __future__ import annotations

from research.standards.spec import GateSpec, load_spec

_INTRO = """# The gates of research

Every threshold stands in `research/gate_spec.yaml`; this page is made from it (`research/gates/document.py`,
a test compares). A campaign registers the hash of the file and refuses to go on with another one. A value
that is missing, not a number or inconclusive fails.

How sure this is: `make calibrate`, 520 whole campaigns of 200 candidates with every gate on. Share of
campaigns that promote something (holdout SR: mean of the best candidate; the edges were sized to give it
about 2.6 and 1.2):

| market | campaigns | holdout SR | all gates | 95 % bound | original floors | PSR | DSR 2014 |
|---|---|---|---|---|---|---|---|
| real 1h returns, edge destroyed | 200 | -0.24 | 0 % | at most 1.5 % | 8.5 % | 48 % | 0 % |
| synthetic martingale | 200 | -0.33 | 0 % | at most 1.5 % | 6 % | 41.5 % | 0 % |
| planted edge 0.0200 | 60 | 2.70 | 98.3 % | at least 92.3 % | 100 % | 100 % | 0 % |
| planted edge 0.0131 | 60 | 1.26 | 16.7 % | at least 9.3 % | 81.7 % | 98.3 % | 0 % |

The order of judgement: G0 and G2 for every candidate; the best few, one a family, then meet G1, G4, G5, G6,
G7, the engine (G3) and, only if all of them passed, the holdout (G8), which opens once for a market.

Not in this table, so that nothing is claimed for it: the campaigns above end with G8 and have no champions.

- **G7** meets no champion there; unit tests show that it refuses a copy and passes an independent edge.
- **G8b, G9 and G10 have no measured pass rate**, neither of false promotions nor of edges that are kept:
  their evidence is weeks of a running desk. Known is that the mechanism works: one planted challenger went
  through shadow and both canary shares on replay by commands alone, and was demoted when its edge ended.
  Fourteen days and thirty trades prove no edge; they catch wrong fills, slippage beyond the model and a
  challenger outside the band of its own research trades. How long a dead edge stays a canary, and how often a
  good one is demoted by bad luck, is not known.
- No live evidence exists: `replay` and `live` are recorded apart and never counted together.

A small calibration of the gates G0 to G8 runs with the tests (`tests/integration/research`); it notices a
gate that lets everything or nothing through.
"""

_WHAT = {
    "windows": "How a history is cut",
    "selection": "Who becomes a finalist",
    "risk": "The desk's risk, for drawdowns in terms of its equity",
    "g0_static": "G0: size of the document; its hash is new",
    "g1_lookahead": "G1: no value of any step changes when the future is cut off or made another",
    "g2_screen": "G2: floors of the screen over the research window",
    "g3_engine": "G3: the engine's entries, exits and results are those of the screen",
    "g4_walk_forward": "G4: tuned before each fold, tested on it; cross-validation for tuned parameters",
    "g5_statistics": "G5: route 1 the deflated Sharpe ratio of 2025, route 2 that of the best of "
    "N throws of a coin would show (the holdout must then prove it)",
    "g6_robustness": "G6: costs, delay, moved parameters, resampled trades",
    "g7_portfolio": "G7: beside the champions; their common Sharpe ratio must not fall",
    "g8_holdout": "G8: the newest stretch of history, once",
    "g8b_paper": "G8b: alone in the paper node on replay; no rule broken",
    "g9_shadow": "G9: shadow, no risk",
    "g10_canary": "G10: canary at each share of the risk; demotion",
}


def render(spec: GateSpec | None = None) -> str:
    """Return the page."""
    values = (spec or load_spec()).model_dump(mode="json")
    parts = [_INTRO]
    for name, title in _WHAT.items():
        rows = "".join(f"| `{key}` | {_shown(value)} |\n" for key, value in values[name].items())
        parts.append(f"\n## {title}\n\n| setting of `{name}` | value |\n|---|---|\n{rows}")
    return "".join(parts)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
