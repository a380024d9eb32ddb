"""The model client: an OpenAI-compatible chat-completions stream, text mode, nothing retried, nothing rewritten.

Open Interpreter's own client retries without a pause, drops `temperature=0`, trims the conversation with a
wrong tokenizer and doubles text when a stream is cut. This one sends the wire messages as they are and either
delivers a whole reply or raises: ModelAway (ask again later), ContextTooLong (shorten), ModelRefused (give up),
Stopped. When to ask again is the caller's business.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import openai

from ..errors import ModelAway, ModelError, ModelRefused
from ..settings import Settings
from ..stop import StopSignal
from .exchange import Exchange, Silent, trace
from .failures import from_status, translate

Wire = list[dict[str, str]]
T = TypeVar("T")

#: Seconds for reaching the server at all.
CONNECT_SECONDS = 10.0
#: Seconds for an answer that needs one token or none.
SHORT_SECONDS = 30.0

#: What the probes send; counting is the surest thing to go on with.
_PROBE_USER, _PROBE_PARTIAL, _PROBE_SPACE = "Count to ten.", "1, 2, 3,", "\n\n    "

#: Reasons that vLLM gives when it gave a reply up (it is stopping, or its engine failed).
_GIVEN_UP = frozenset(("abort", "error"))


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that the model wrote."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The reply is whole. `finish_reason`: stop, length, …; tokens as the server counted them, None if it did not."""

    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Alive:
    """The server is generating, but nothing that belongs to the reply (a model's reasoning, kept apart)."""


class ModelClient:
    """One server and one model, for one session. Not for use by several threads at once."""

    def __init__(self, settings: Settings, *, model: str = "") -> None:
        self._settings = settings
        self._url = settings.model_url
        self._model = model or settings.model
        self._openai = openai.OpenAI(
            base_url=self._url,
            # Never looked up in the environment; what is sent is set for each request.
            api_key="unused",
            max_retries=0,
            timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
            http_client=openai.DefaultHttpxClient(
                trust_env=False,
                follow_redirects=False,
                verify=self._url.startswith("https:"),
                timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
                event_hooks={"request": [trace]},
            ),
            # A connection a request: to hang up is to close it.
            default_headers={"Connection": "close"},
        )
        #: What the probes proved; None before they did.
        self._continues: bool | None = None
        self._keeps_space: bool | None = None
        self._open_tokens = 0
        self._tokenizes = True

    def close(self) -> None:
        """Give the connections back."""
        self._openai.close()

    def stream(
        self, wire: Wire, *, partial: str | None, max_tokens: int, temperature: float, stop: StopSignal
    ) -> Generator[Delta | Alive | Finish, None, None]:
        """Ask for the reply to `wire`; deltas as they come, and other signs of life, then one Finish.

        With `partial`, the beginning of the reply, only what comes after it; ask `continues` first. Closing the
        generator hangs up. Raises what the module says, at once when `stop` is set.
        """
        messages = [*wire, {"role": "assistant", "content": partial}] if partial else wire
        request = self._request(messages, max_tokens, temperature, continued=bool(partial))
        request |= {"stream": True, "stream_options": {"include_usage": True}}
        exchange: Exchange[Delta | Finish | Alive] = Exchange(lambda put: self._read(request, put), stop)
        limit, what = self._settings.first_token, "first"
        try:
            while (item := exchange.next(limit)) is not None:
                limit, what = self._settings.next_token, "next"
                yield item
        except Silent:
            raise ModelAway(
                f"the model server at {self._url} sent nothing for {limit:g} s (OUTLAST_{what.upper()}_TOKEN)"
            ) from None
        finally:
            exchange.hang_up()

    def continues(self, partial: str | None = None, *, stop: StopSignal | None = None) -> bool:
        """Whether the server really goes on from `partial` (from any text, if none is given).

        Proved by its own count of tokens, never by the text: leaving the final message open makes the prompt
        shorter than closing it does, and white space at its end makes the prompt longer unless a chat template
        strips it. A blank text is never continued. A server that refuses or counts nothing does not continue;
        one that is away has not answered: ModelAway.
        """
        if partial is not None and not partial.strip():
            return False
        try:
            if self._continues is None:
                closed = self._prompt_tokens(_PROBE_PARTIAL, False, stop)
                self._open_tokens = self._prompt_tokens(_PROBE_PARTIAL, True, stop)
                self._continues = self._open_tokens < closed
            ends_in_space = partial is None or partial[-1].isspace()
            if self._continues and ends_in_space and self._keeps_space is None:
                spaced = self._prompt_tokens(_PROBE_PARTIAL + _PROBE_SPACE, True, stop)
                self._keeps_space = spaced > self._open_tokens
        except ModelAway:
            raise
        except ModelError:
            self._continues = ends_in_space = False
        return bool(self._continues and (self._keeps_space or not ends_in_space))

    def count_tokens(self, wire: Wire, *, stop: StopSignal | None = None) -> int:
        """Tokens of a request with these messages: by the server's `/tokenize`, else a cautious estimate."""
        if self._tokenizes:
            try:
                return self._count(wire, stop)
            except ModelAway:
                pass  # It may count again later.
            except ModelError:
                self._tokenizes = False
        return estimate_tokens(wire)

    def _count(self, wire: Wire, stop: StopSignal | None) -> int:
        address = self._url.rstrip("/").removesuffix("/v1") + "/tokenize"
        body = {"model": self._model, "messages": sendable(wire), "add_generation_prompt": True}

        def ask() -> int:
            answer: Any = self._openai.post(
                address, cast_to=object, body=body, options={"headers": self._authorization()}
            )
            count = answer.get("count") if isinstance(answer, dict) else None
            if not isinstance(count, int):
                raise ModelRefused(f"{address} does not count tokens")
            return count

        return self._ask(ask, stop)

    def _prompt_tokens(self, partial: str, continued: bool, stop: StopSignal | None) -> int:
        messages = [{"role": "user", "content": _PROBE_USER}, {"role": "assistant", "content": partial}]
        request = self._request(messages, 1, 0.0, continued=continued)
        request["extra_body"] = {"continue_final_message": continued, "add_generation_prompt": False}

        def ask() -> int:
            usage = self._openai.chat.completions.create(**request).usage
            if usage is None or not isinstance(usage.prompt_tokens, int):
                raise ModelRefused(f"the model server at {self._url} counts no tokens")
            return usage.prompt_tokens

        return self._ask(ask, stop)

    def _ask(self, question: Callable[[], T], stop: StopSignal | None) -> T:
        """A request with one small answer."""

        def work(put: Callable[[T], None]) -> None:
            try:
                put(question())
            except Exception as error:
                raise translate(error, self._url, self._model) from error

        exchange = Exchange(work, stop)
        try:
            answer = exchange.next(SHORT_SECONDS)
        except Silent:
            raise ModelAway(f"the model server at {self._url} did not answer within {SHORT_SECONDS:g} s") from None
        finally:
            exchange.hang_up()
        assert answer is not None
        return answer

    def _request(self, messages: Wire, max_tokens: int, temperature: float, *, continued: bool) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": sendable(messages),
            "max_tokens": max_tokens,
            "temperature": temperature,
            "extra_headers": self._authorization(),
        }
        if continued:
            request["extra_body"] = {"continue_final_message": True, "add_generation_prompt": False}
        return request

    def _authorization(self) -> dict[str, Any]:
        try:
            key = self._settings.model_key()
        except (OSError, ValueError) as error:
            reason = f"the model server's key cannot be read ({error}); check OUTLAST_MODEL_KEY_FILE"
            raise ModelRefused(reason) from error
        return {"Authorization": f"Bearer {key}" if key else openai.Omit()}

    def _read(self, request: dict[str, Any], put: Callable[[Delta | Finish | Alive], None]) -> None:
        """In the exchange's thread: the stream to its end."""
        reason, usage = None, None
        try:
            with self._openai.chat.completions.create(**request) as chunks:
                for chunk in chunks:
                    usage = chunk.usage or usage
                    for choice in chunk.choices[:1]:
                        delta, reason = choice.delta, choice.finish_reason or reason
                        if isinstance(delta.content, str) and delta.content:
                            put(Delta(delta.content))
                        elif getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None):
                            put(Alive())
        except Exception as error:
            # A reply that has said why it finished is whole, whatever becomes of the lines after it.
            if reason is None:
                raise translate(error, self._url, self._model) from error
        if reason is None:
            raise ModelAway(f"the model server at {self._url} cut its reply off")
        if reason in _GIVEN_UP:
            raise from_status(500, f"the reply was given up: {reason}", self._url, self._model, None)
        put(
            Finish(
                reason,
                usage.prompt_tokens if usage is not None else None,
                usage.completion_tokens if usage is not None else None,
            )
        )


def sendable(wire: Wire) -> Wire:
    """`wire` itself, with halves of surrogate pairs (which no UTF-8 can hold) joined or replaced."""
    try:
        for message in wire:
            message["content"].encode()
    except UnicodeEncodeError:
        return [{**message, "content": _whole(message["content"])} for message in wire]
    return wire


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def estimate_tokens(wire: Wire) -> int:
    """A cautious guess, for servers that do not count: more rather than less.

    A token for every four letters of a word, one each for digits (Qwen's tokenizer splits numbers into them), for
    signs, line breaks and runs of white space, one for every two bytes of other scripts, four for each message.
    """
    return sum(4 + sum(_weight(found) for found in _PIECE.finditer(message["content"])) for message in wire)


_PIECE = re.compile(r"(?P<word>[A-Za-z]+)|(?P<space>[ \t]+)|(?P<one>[\x00-\x7f])|(?P<other>[^\x00-\x7f]+)")


def _weight(piece: re.Match[str]) -> int:
    text = piece.group()
    match piece.lastgroup:
        case "word":
            return (len(text) + 3) // 4
        case "space":
            # The space before a word is part of the word's token.
            return 0 if len(text) == 1 else 1
        case "one":
            return 1
        case _:
            return (len(text.encode("utf-8", "replace")) + 1) // 2


def _import_the_rest() -> None:
    """Import now what the packages put off until the first request, so that no forked child does it again."""
    with openai.OpenAI(base_url="http://127.0.0.1", api_key="unused") as client:
        _ = client.chat.completions  # Looking it up imports its module.
        client.platform_headers()
    importlib.import_module("encodings.idna")


_import_the_rest()
