"""What a failed request means: wait and ask again, shorten and ask again, or never ask again."""

from __future__ import annotations

import re
from typing import Any

import openai

from ..errors import ContextTooLong, ModelAway, ModelError, ModelRefused

#: How servers say that a conversation is too long: vLLM (several versions), llama.cpp, OpenAI.
_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum (model |input |sequence )?(length|context)|max_model_len"
    r"|(prompt|input|conversation) is too long|longer than the maximum|exceeds? the (available|maximum)"
    r"|max_tokens must be at least 1, got -",
    re.IGNORECASE,
)

#: Answers that may be another one later; 5xx are too.
_LATER = frozenset((408, 409, 423, 425, 429))

#: Mistakes in the address itself: waiting mends none of them.
_BAD_ADDRESS = frozenset(("UnsupportedProtocol", "InvalidURL", "LocalProtocolError"))

_WHAT_TO_DO = {
    401: "check OUTLAST_MODEL_KEY_FILE",
    403: "check OUTLAST_MODEL_KEY_FILE",
    404: "check OUTLAST_MODEL_URL and the model's name (OUTLAST_MODEL, or the option model=)",
}


def translate(error: Exception, url: str, model: str) -> Exception:
    """The error of ours that a failure of the `openai` package stands for; any other exception as it is."""
    if isinstance(error, ModelError):
        return error
    if isinstance(error, openai.APIStatusError):
        retry_after = _seconds(error.response.headers.get("retry-after"))
        return from_status(error.status_code, _said(error), url, model, retry_after)
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__
        if type(cause).__name__ in _BAD_ADDRESS:
            return ModelRefused(f"{url} is not an address of a model server ({cause}); check OUTLAST_MODEL_URL")
        return ModelAway(f"the model server at {url} cannot be reached or broke off ({_line(cause or error)})")
    if isinstance(error, openai.APIError):
        # An error inside a stream that had begun.
        code = error.body.get("code") if isinstance(error.body, dict) else None
        return from_status(code if isinstance(code, int) else 500, _line(error), url, model, None)
    if isinstance(error, openai.OpenAIError | ValueError | TypeError | AttributeError | LookupError):
        return ModelAway(f"what the model server at {url} answered is no chat completion ({_line(error)})")
    return error


def from_status(status: int, said: str, url: str, model: str, retry_after: float | None) -> ModelError:
    """What an HTTP status means; `said` is the server's own text."""
    if status >= 500 or status in _LATER:
        return ModelAway(f"the model server at {url} answers {status} ({said})", retry_after)
    if status == 413 or (status in (400, 422) and _TOO_LONG.search(said)):
        return ContextTooLong(f"the conversation is too long for {model}: {said}")
    what_to_do = _WHAT_TO_DO.get(status, "see the model server's log")
    return ModelRefused(f"the model server at {url} refuses requests for {model} with {status} ({said}); {what_to_do}")


def _said(error: openai.APIStatusError) -> str:
    body: Any = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return _line(message or error.message)


def _line(text: object) -> str:
    """One line of at most 300 characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= 300 else line[:299] + "…"


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None  # A date, or nothing.
    return seconds if 0 <= seconds < float("inf") else None
