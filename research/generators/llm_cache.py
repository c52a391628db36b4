"""Answers of a language model on disk, and what they cost.

Guarantees: an answer is kept under the sha256 of everything that was asked, so the same question is never
paid for twice, and a campaign can be replayed from the folder without a network; a file that was changed is
refused; every paid request is a line in `spend.jsonl` before its answer is used, and a request that could
exceed the budget is not sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from research.errors import GeneratorError


@dataclass(frozen=True, slots=True)
class Budget:
    """What one cache folder may spend in all."""

    max_requests: int = 50
    max_tokens: int = 500_000
    max_usd: float = 5.0


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million tokens; the defaults are on the dear side of small models."""

    prompt_usd: float = 1.0
    completion_usd: float = 4.0

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price of a request."""
        return (prompt_tokens * self.prompt_usd + completion_tokens * self.completion_usd) / 1e6


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    text: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def sha256(self) -> str:
        """Return the hash of text and counts."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums over the ledger."""

    requests: int
    tokens: int
    usd: float


class AnswerCache:
    """A folder of answers with its ledger."""

    def __init__(self, folder: Path, budget: Budget, prices: Prices) -> None:
        self.folder, self.budget, self.prices = folder, budget, prices
        self._ledger = folder / "spend.jsonl"

    def key(self, request: dict[str, Any]) -> str:
        """Return the sha256 of a request."""
        return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()

    def find(self, key: str) -> Answer | None:
        """Return the kept answer of a request.

        Raises
        ------
        GeneratorError
            The file is not what was written.
        """
        file = self.folder / f"{key}.json"
        if not file.exists():
            return None
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            answer = Answer(**kept["answer"])
            sound = kept["sha256"] == answer.sha256 and kept["key"] == key
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise self._changed(file, str(error)) from error
        if not sound:
            raise self._changed(file, "another sha256")
        return answer

    def keep(self, key: str, model: str, request: dict[str, Any], answer: Answer) -> None:
        """Write the ledger line, then the answer; both reach the disk before this returns."""
        cost = self.prices.cost_usd(answer.prompt_tokens, answer.completion_tokens)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "key": key,
            "model": model,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "usd": round(cost, 8),
        }
        kept = {"key": key, "request": request, "answer": asdict(answer), "sha256": answer.sha256}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._ledger.open("a", encoding="utf-8") as ledger:
                ledger.write(json.dumps(line, sort_keys=True) + "\n")
                ledger.flush()
                os.fsync(ledger.fileno())
            file = self.folder / f"{key}.json"
            part = file.with_suffix(".part")
            part.write_text(json.dumps(kept, sort_keys=True), encoding="utf-8")
            part.replace(file)
        except OSError as error:
            raise GeneratorError(
                f"the answer cannot be kept in {self.folder}", found=error.strerror or str(error),
                remedy="free the disk, or choose another folder; nothing more is asked until then",
            ) from error  # fmt: skip

    def spent(self) -> Spent:
        """Return what the ledger sums up to.

        Raises
        ------
        GeneratorError
            A line cannot be read: what was spent is then unknown.
        """
        if not self._ledger.exists():
            return Spent(0, 0, 0.0)
        requests, tokens, usd = 0, 0, 0.0
        for number, text in enumerate(self._ledger.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                line = json.loads(text)
                tokens += int(line["prompt_tokens"]) + int(line["completion_tokens"])
                usd += float(line["usd"])
            except (ValueError, KeyError, TypeError) as error:
                raise GeneratorError(
                    f"line {number} of {self._ledger} cannot be read", found=text[:80],
                    expected="a line of the spend ledger", remedy="restore the file from a backup",
                ) from error  # fmt: skip
            requests += 1
        return Spent(requests, tokens, usd)

    def allow(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Refuse a request that could take more than the budget leaves.

        Raises
        ------
        GeneratorError
            It could.
        """
        spent, budget = self.spent(), self.budget
        tokens = spent.tokens + prompt_tokens + completion_tokens
        usd = spent.usd + self.prices.cost_usd(prompt_tokens, completion_tokens)
        limits = (
            ("requests", spent.requests + 1, budget.max_requests),
            ("tokens", tokens, budget.max_tokens),
            ("USD", usd, budget.max_usd),
        )
        for name, could, limit in limits:
            if could > limit:
                raise GeneratorError(
                    f"the budget of the language model does not allow another request: {name}",
                    found=f"{could:g} with this request", expected=f"at most {limit:g}",
                    remedy="raise the budget, or replay from the cache",
                )  # fmt: skip

    def _changed(self, file: Path, found: str) -> GeneratorError:
        return GeneratorError(
            f"the kept answer {file} was changed", found=found, expected="the file as it was written",
            remedy="delete it; the question is then asked, and paid for, again",
        )  # fmt: skip
