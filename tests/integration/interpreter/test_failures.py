"""What each failure of the server means: ask again later, shorten, or give up."""

from __future__ import annotations

import json

import pytest

from outlast.errors import ContextTooLong, ModelAway, ModelError, ModelRefused
from tests.integration.interpreter.clients import ask, client
from tests.integration.interpreter.servers import Exchange, Handle, serving

VLLM_TOO_LONG = [
    "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens (2000 in the messages).",
    "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 4096 tokens "
    "and your request has 3900 input tokens (4096 > 4096 - 3900).",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "max_tokens must be at least 1, got -12.",
    "the request exceeds the available context size. try increasing the context size",
]


def refusing(status: int, message: str = "no", **headers: str) -> Handle:
    error = {"error": {"message": message, "type": "Error", "code": status}}
    return lambda exchange: exchange.answer(status, json.dumps(error).encode(), **headers)


def failure(handle: Handle) -> ModelError:
    """What asking this server raises; it must have been asked once only."""
    with serving(handle) as server, client(server.url) as model:
        with pytest.raises(ModelError) as raised:
            ask(model)
        assert len(server.seen) == 1, "a request is never retried here"
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_a_server_that_is_overloaded_or_broken_is_away(status: int) -> None:
    assert type(failure(refusing(status))) is ModelAway


def test_the_servers_wish_when_to_ask_again_is_passed_on() -> None:
    away = failure(refusing(429, Retry_After="7"))
    assert isinstance(away, ModelAway)
    assert away.retry_after == 7


@pytest.mark.parametrize("wish", ["", "soon", "nan", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wish_that_is_no_number_of_seconds_is_none(wish: str) -> None:
    away = failure(refusing(503, Retry_After=wish))
    assert isinstance(away, ModelAway)
    assert away.retry_after is None


@pytest.mark.parametrize("message", VLLM_TOO_LONG)
def test_a_400_for_length_asks_for_a_shorter_conversation(message: str) -> None:
    assert type(failure(refusing(400, message))) is ContextTooLong


def test_a_body_that_is_too_large_asks_for_a_shorter_conversation() -> None:
    assert type(failure(refusing(413))) is ContextTooLong


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (400, "temperature must be at most 2", "log"),
        (401, "Unauthorized", "OUTLAST_MODEL_KEY_FILE"),
        (403, "Forbidden", "OUTLAST_MODEL_KEY_FILE"),
        (404, "The model `m` does not exist.", "OUTLAST_MODEL"),
        (422, "messages: field required", "log"),
    ],
)
def test_a_request_that_can_never_succeed_is_refused_with_what_to_do(status: int, message: str, hint: str) -> None:
    refused = failure(refusing(status, message))
    assert type(refused) is ModelRefused
    assert message in str(refused)
    assert hint in str(refused)


def test_a_redirect_is_not_followed() -> None:
    assert type(failure(refusing(307, Location="http://127.0.0.1:9/v1/chat/completions"))) is ModelRefused


def test_an_address_that_is_none_is_refused() -> None:
    with client("localhost:8000/v1") as model, pytest.raises(ModelRefused, match="OUTLAST_MODEL_URL"):
        ask(model)


def test_a_key_file_that_is_missing_is_refused() -> None:
    with (
        client("http://127.0.0.1:9/v1", model_key_file="/nowhere/key") as model,
        pytest.raises(ModelRefused, match="OUTLAST_MODEL_KEY_FILE"),
    ):
        ask(model)


def _stream(*lines: str) -> Handle:
    def handle(exchange: Exchange) -> None:
        exchange.begin()
        for line in lines:
            exchange.data(line)

    return handle


def _finish(reason: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": reason}]})


GARBAGE: dict[str, Handle] = {
    "no answer at all": lambda exchange: exchange.connection.close(),
    "an empty body": lambda exchange: exchange.answer(200, b""),
    "a web page": lambda exchange: exchange.answer(200, b"<html>Welcome</html>", Content_Type="text/html"),
    "an empty stream": _stream(),
    "a stream of nothing but its end": _stream("[DONE]"),
    "a line that is no JSON": _stream("{broken"),
    "JSON that is no chunk": _stream("[1, 2]"),
    "a chunk without choices": _stream('{"id": "x"}'),
    "choices of another kind": _stream('{"choices": [7]}'),
    "text of another kind": _stream('{"choices": [{"index": 0, "delta": {"content": [1]}}]}'),
    "an error inside the stream": _stream('{"error": {"message": "engine died", "code": 500}}'),
    "an error without a code": _stream('{"error": "engine died"}'),
    "a reply given up by the server": _stream(_finish("abort"), "[DONE]"),
}


@pytest.mark.parametrize("handle", GARBAGE.values(), ids=GARBAGE.keys())
def test_an_answer_that_is_no_reply_counts_as_away(handle: Handle) -> None:
    assert type(failure(handle)) is ModelAway


def test_a_refusal_for_length_inside_the_stream_asks_for_a_shorter_conversation() -> None:
    error = {"error": {"message": VLLM_TOO_LONG[0], "code": 400}}
    assert type(failure(_stream(json.dumps(error)))) is ContextTooLong
