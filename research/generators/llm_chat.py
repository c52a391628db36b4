"""The wire to a chat endpoint, by the `openai` client (extra `llm`), imported when it is first used."""

from __future__ import annotations

import importlib.util
from typing import Any

from pydantic import SecretStr

from research.errors import GeneratorError
from research.generators.llm_cache import Answer

TIMEOUT_S = 120.0
RETRIES = 2


def require_client() -> None:
    """Refuse to go on without the `openai` client.

    Raises
    ------
    GeneratorError
        It is not installed.
    """
    if importlib.util.find_spec("openai") is None:
        raise GeneratorError(
            "the client for language models is not installed", expected="the extra `llm`",
            remedy="make sync EXTRAS='--extra llm', or use another generator",
        )  # fmt: skip


class OpenAiChat:
    """An OpenAI-compatible endpoint.

    Asks for an answer that follows the schema; an endpoint that refuses that is asked for any JSON object,
    and one that refuses this too for plain text.  The answer is validated locally whatever it promised.
    """

    def __init__(self, base_url: str, model: str, key: SecretStr) -> None:
        self.model, self._base_url, self._key = model, base_url, key

    def complete(self, request: dict[str, Any]) -> Answer:
        """Send a request.

        Raises
        ------
        GeneratorError
            The client is not installed, or the endpoint does not answer; the message holds no key.
        """
        require_client()
        import openai

        schema = {"name": "documents", "schema": request["schema"], "strict": False}
        formats: tuple[dict[str, Any] | None, ...] = (
            {"type": "json_schema", "json_schema": schema},
            {"type": "json_object"},
            None,
        )
        body = {name: value for name, value in request.items() if name != "schema"}
        with openai.OpenAI(
            base_url=self._base_url,
            api_key=self._key.get_secret_value() or "none",
            timeout=TIMEOUT_S,
            max_retries=RETRIES,
        ) as client:
            create: Any = client.chat.completions.create
            for wanted in formats:
                try:
                    extra = {} if wanted is None else {"response_format": wanted}
                    return _answer(create(**body, **extra))
                except openai.BadRequestError as error:
                    if wanted is None:
                        raise self._failed(error) from None
                except openai.OpenAIError as error:
                    raise self._failed(error) from None
        raise AssertionError("unreachable")  # pragma: no cover - the last format returns or raises

    def _failed(self, error: Exception) -> GeneratorError:
        status = getattr(error, "status_code", None)
        return GeneratorError(
            "the language model does not answer",
            found=type(error).__name__ + (f", HTTP {status}" if status else ""),
            remedy="check CRUPTO_LLM_BASE_URL, CRUPTO_LLM_MODEL and the key, or use another generator",
        )


def _answer(completion: Any) -> Answer:
    usage = completion.usage
    choices = completion.choices or []
    text = (choices[0].message.content or "") if choices else ""
    if usage is None:  # what is not counted is booked by size, on the dear side
        return Answer(text, len(text), len(text))
    return Answer(text, int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0))
