"""How many candidates on how many bars the screen judges a second, and vectorbt beside it.

One evaluation is one candidate on one bar with its indicators, entries, exits, costs, funding and metrics.
`CRUPTO_VECTORBT_PYTHON` names the Python of an environment with vectorbt (it is no dependency of the
project: `uv venv DIR && uv pip install vectorbt`); the signals it gets are ready made.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from research.costs import Costs
from research.dsl import Document
from research.dsl.vector import Memo, evaluate
from research.market import Frame, MarketArrays
from research.screen import screen
from tests.fakes.research import frame_of, random_documents, traded_history

BARS = 35_040  # four years of 1h bars, or one of 15m
CANDIDATES = 200
TARGET = 20e6  # bar evaluations a second on two cores


@pytest.fixture(scope="module")
def frame() -> Frame:
    return frame_of(traded_history(BARS, 3))


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return random_documents(CANDIDATES, 1)


@pytest.mark.bench
def test_screen_speed(frame: Frame, documents: list[Document]) -> None:
    market = MarketArrays([frame])
    screen(documents, market)  # compiles
    cpu, wall = [], []
    for threads in (1, 2, 1, 2, 1, 2):
        began, used = time.perf_counter(), time.process_time()
        results = screen(documents, market, threads=threads)
        (cpu if threads == 1 else wall).append(
            time.process_time() - used if threads == 1 else time.perf_counter() - began
        )
    evaluations = sum(result.bars for result in results)
    core, two = evaluations / min(cpu), evaluations / min(wall)
    print(f"\nscreen: {evaluations / 1e6:.1f} million bar evaluations, {CANDIDATES} candidates, {BARS} bars")
    print(f"  one core, per second of processor time: {core / 1e6:.1f} million")
    print(
        f"  two threads, per second of wall time:   {two / 1e6:.1f} million (load {os.getloadavg()[0]:.1f})"
    )
    # Processor time holds on a busy machine too; wall time is printed for an idle one.
    assert 2.0 * core >= TARGET


@pytest.mark.bench
def test_vectorbt_beside_it(frame: Frame, documents: list[Document], tmp_path: Path) -> None:
    python = os.environ.get("CRUPTO_VECTORBT_PYTHON")
    if not python:
        pytest.skip("CRUPTO_VECTORBT_PYTHON names no environment with vectorbt")
    chosen = [one for one in documents if one.direction == "long"][:50]
    market, memo = MarketArrays([frame]), Memo()
    said = [evaluate(one, frame, memo) for one in chosen]
    np.savez(
        tmp_path / "signals.npz",
        open=frame.open,
        high=frame.high,
        low=frame.low,
        close=frame.close,
        entries=np.stack([one.entry > 0 for one in said], axis=1),
        exits=np.stack([one.exit_long for one in said], axis=1),
        stops=np.stack(
            [
                np.nan_to_num(d.stop.atr * one.atr / frame.close, nan=0.5)
                for d, one in zip(chosen, said, strict=True)
            ],
            axis=1,
        ),
    )
    script = Path(__file__).with_name("vectorbt_reference.py")
    done = subprocess.run(
        [python, str(script), str(tmp_path / "signals.npz")], capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout.strip().splitlines()[-1])
    screen(chosen, market, Costs())
    used = time.process_time()
    screen(chosen, market, Costs())
    ours = time.process_time() - used
    evaluations = len(chosen) * BARS
    print(f"\n{len(chosen)} candidates on {BARS} bars, processor time:")
    print(f"  screen, indicators included: {ours:.2f} s, {evaluations / ours / 1e6:.1f} million a second")
    print(
        f"  vectorbt {theirs['version']}, signals given: {theirs['cpu']:.2f} s, "
        f"{evaluations / theirs['cpu'] / 1e6:.2f} million a second"
    )
    print(f"  ratio {theirs['cpu'] / ours:.1f}")
    assert theirs["cpu"] > ours
