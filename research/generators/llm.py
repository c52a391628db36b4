"""Candidates from a language model behind any OpenAI-compatible endpoint.

What comes back is data and never code: it is parsed as JSON, each document is validated as if a stranger had
sent it, its name and description are thrown away, and nothing of it is executed, formatted, logged or
shown to another prompt except as a valid document.  Prompts hold the language's schema and aggregate
figures of the research window, never the holdout, paths, keys or names of this machine.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from research.dsl.document import Document
from research.dsl.parse import parse_document
from research.dsl.schema import document_schema
from research.errors import DocumentError, GeneratorError
from research.generators.base import GenerationContext
from research.generators.llm_cache import Answer, AnswerCache, Budget, Prices

MAX_ANSWER_CHARACTERS = 400_000
MAX_COMPLETION_TOKENS = 8_000
CHARACTERS_A_TOKEN = 3  # on the careful side
DOCUMENTS_A_REQUEST = 8
REQUESTS_A_CALL = 12
BEST_SHOWN = 5

SYSTEM = (
    "You design trading strategies for crypto perpetual futures as JSON documents of a small language. "
    'Answer with one JSON object {"documents": [...]} and nothing else. Each document must satisfy the '
    "schema below. Units must fit: price with price, ratio with ratio, osc with osc, bps with bps, rate with "
    "rate. There are no constants of price or volume. Signals act at the close of a bar; there is no look-"
    "ahead. Costs are about 15 basis points a round trip, so trades must be worth that. Prefer simple ideas "
    "with few parameters that differ from each other.\nSchema:\n"
)


class Chat(Protocol):
    """A chat completion endpoint."""

    model: str

    def complete(self, request: dict[str, Any]) -> Answer:
        """Return the answer to a request (messages, temperature, seed, schema)."""


@dataclass(slots=True)
class Tally:
    """What became of the documents that a model sent."""

    answers: int = 0
    from_cache: int = 0
    accepted: int = 0
    refused: int = 0
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)  # our own words, never the model's


class LlmGenerator:
    """Asks a model for documents.

    Parameters
    ----------
    chat : Chat or None
        The endpoint; None replays from the cache, where a question that was never asked is an error.
    cache : AnswerCache
        Kept answers, spend and budget.
    """

    name = "llm"

    def __init__(self, chat: Chat | None, cache: AnswerCache, model: str = "") -> None:
        self._chat, self._cache = chat, cache
        self._model = chat.model if chat is not None else model
        self.tally = Tally()
        self._used: list[dict[str, str]] = []

    def provenance(self) -> dict[str, Any]:
        """Return the model and the hashes of questions and answers that the last proposal used."""
        return {"model": self._model, "answers": list(self._used)} if self._used else {}

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return `count` new documents.

        Raises
        ------
        GeneratorError
            The budget is used up, the endpoint fails, or too few answers were usable.
        """
        found: list[Document] = []
        hashes = set(context.seen)
        self._used = []
        for number in range(REQUESTS_A_CALL):
            if len(found) >= count:
                break
            answer = self._ask(self._request(seed, number, context))
            for raw in self._documents(answer):
                document = self._accept(raw, f"l_{seed}_{number}_{len(found)}", context)
                if document is not None and document.document_hash not in hashes and len(found) < count:
                    hashes.add(document.document_hash)
                    found.append(document)
        if len(found) < count:
            tally = self.tally
            raise GeneratorError(
                "the language model sent too few usable documents",
                found=f"{len(found)} new ones in {tally.answers} answers ({tally.refused} refused, "
                f"{tally.unreadable} answers unreadable)",
                expected=str(count),
                remedy="ask for fewer, or use another model or generator",
            )
        return found

    def _request(self, seed: int, number: int, context: GenerationContext) -> dict[str, Any]:
        return {
            "model": self._model,
            "seed": seed * 1000 + number,
            "temperature": 0.9,
            "max_tokens": MAX_COMPLETION_TOKENS,
            "messages": [
                {"role": "system", "content": SYSTEM + json.dumps(document_schema(), sort_keys=True)},
                {"role": "user", "content": _wish(number, context)},
            ],
            "schema": _answer_schema(),
        }

    def _ask(self, request: dict[str, Any]) -> Answer:
        key = self._cache.key(request)
        self.tally.answers += 1
        kept = self._cache.find(key)
        if kept is not None:
            self.tally.from_cache += 1
            return self._noted(key, kept)
        if self._chat is None:
            raise GeneratorError(
                "the cache has no answer to this question", found=key[:12], expected="a kept answer",
                remedy="run once with an endpoint (CRUPTO_LLM_BASE_URL), or with the seed that was recorded",
            )  # fmt: skip
        size = sum(len(message["content"]) for message in request["messages"]) + len(
            json.dumps(request["schema"])
        )
        self._cache.allow(-(-size // CHARACTERS_A_TOKEN), MAX_COMPLETION_TOKENS)
        answer = self._chat.complete(request)
        self._cache.keep(key, self._model, request, answer)
        return self._noted(key, answer)

    def _noted(self, key: str, answer: Answer) -> Answer:
        self._used.append({"request_sha256": key, "answer_sha256": answer.sha256})
        return answer

    def _documents(self, answer: Answer) -> list[Any]:
        """Return what an answer lists as documents; anything but one JSON object is unreadable."""
        text = answer.text.strip()
        if text.startswith("```") and text.endswith("```"):
            text = text.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
        if len(text) > MAX_ANSWER_CHARACTERS:
            return self._unreadable("too long")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return self._unreadable("no JSON")
        documents = data.get("documents") if isinstance(data, dict) else None
        if not isinstance(documents, list) or set(data) != {"documents"}:
            return self._unreadable("not one object with documents")
        return documents[:DOCUMENTS_A_REQUEST]

    def _unreadable(self, reason: str) -> list[Any]:
        self.tally.unreadable += 1
        self.tally.reasons.append(reason)
        return []

    def _accept(self, raw: Any, name: str, context: GenerationContext) -> Document | None:
        """Return a valid document under a name of ours, or None."""
        try:
            if not isinstance(raw, dict):
                raise DocumentError("no mapping")
            instruments = list(context.instruments) if context.instruments else "all"
            document = parse_document({**raw, "name": name, "description": "", "instruments": instruments})
            if document.timeframe not in context.timeframes:
                raise DocumentError("a timeframe that was not asked for")
        except DocumentError:
            self.tally.refused += 1
            return None
        self.tally.accepted += 1
        return document


def _wish(number: int, context: GenerationContext) -> str:
    """Return the user's message: what is wanted, what the market holds, what did well so far."""
    sources = ["open", "high", "low", "close", "volume"]
    sources += ["funding"] * context.has_funding + ["basis"] * context.has_basis
    lines = [
        f"Write {DOCUMENTS_A_REQUEST} documents, request {number + 1}.",
        f"Timeframes: {', '.join(context.timeframes)}. Columns: {', '.join(sources)}.",
    ]
    judged = [one for one in context.feedback if math.isfinite(one.score)]
    best = sorted(judged, key=lambda one: (-one.score, one.document.document_hash))[:BEST_SHOWN]
    if best:
        lines.append(f"{len(context.feedback)} were tried; the best by annual Sharpe ratio after costs:")
        lines += [f"{one.score:.2f} with {one.trades} trades: {_plain(one.document)}" for one in best]
        lines.append("Do not repeat them; improve on them or try something else.")
    return "\n".join(lines)


def _plain(document: Document) -> str:
    told = document.model_dump(mode="json", exclude={"name", "description"}, exclude_none=True)
    return json.dumps(told, sort_keys=True)


def _answer_schema() -> dict[str, Any]:
    schema = document_schema()
    definitions = schema.pop("$defs", {})
    schema.pop("$schema", None)
    schema.pop("$id", None)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["documents"],
        "properties": {"documents": {"type": "array", "maxItems": DOCUMENTS_A_REQUEST, "items": schema}},
        "$defs": definitions,
    }


def llm_from_environment() -> LlmGenerator:
    """Return the generator that the environment describes.

    `CRUPTO_LLM_BASE_URL` (OpenAI-compatible), `CRUPTO_LLM_MODEL`, `CRUPTO_LLM_API_KEY` (or a file named by
    `CRUPTO_LLM_API_KEY_FILE`), `CRUPTO_LLM_CACHE` (folder, default `runs/llm`), `CRUPTO_LLM_MAX_USD`.
    Without a base URL it replays from the cache.

    Raises
    ------
    GeneratorError
        A variable is missing or wrong.
    """
    from research.generators.llm_chat import OpenAiChat, require_client

    environment = os.environ
    url, model = environment.get("CRUPTO_LLM_BASE_URL", ""), environment.get("CRUPTO_LLM_MODEL", "")
    if not model:
        raise GeneratorError(
            "no language model is named",
            expected="CRUPTO_LLM_MODEL, and CRUPTO_LLM_BASE_URL unless replaying",
            remedy="export CRUPTO_LLM_MODEL=..., or use another generator",
        )  # fmt: skip
    limit = environment.get("CRUPTO_LLM_MAX_USD", "")
    try:
        budget = Budget(max_usd=float(limit)) if limit else Budget()
        if not math.isfinite(budget.max_usd) or budget.max_usd < 0.0:
            raise ValueError(limit)
    except ValueError:
        raise GeneratorError(
            "CRUPTO_LLM_MAX_USD is no amount", found=repr(limit), expected="a number such as 5"
        ) from None
    cache = AnswerCache(Path(environment.get("CRUPTO_LLM_CACHE", "runs/llm")), budget, Prices())
    if not url:
        return LlmGenerator(None, cache, model)
    require_client()
    return LlmGenerator(OpenAiChat(url, model, _required(_key(environment), url)), cache, model)


def _required(key: SecretStr, url: str) -> SecretStr:
    """Return the key; only an endpoint on this machine may do without one."""
    if not key.get_secret_value() and urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise GeneratorError(
            "there is no key for the language model",
            found=f"an empty CRUPTO_LLM_API_KEY, for {urlsplit(url).hostname}",
            expected="a key, or an endpoint on this machine",
            remedy="export CRUPTO_LLM_API_KEY_FILE=FILE (outside the repository), or use another generator",
        )
    return key


def _key(environment: Any) -> SecretStr:
    file = environment.get("CRUPTO_LLM_API_KEY_FILE", "")
    if not file:
        return SecretStr(environment.get("CRUPTO_LLM_API_KEY", ""))
    try:
        return SecretStr(Path(file).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise GeneratorError(
            "the file of CRUPTO_LLM_API_KEY_FILE cannot be read", found=type(error).__name__,
            expected="a text file with the key",
        ) from error  # fmt: skip
