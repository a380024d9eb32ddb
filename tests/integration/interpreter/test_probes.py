"""Whether a server continues, and how many tokens it counts: by proof, and remembered."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from outlast.drill.scripted_model import ScriptedModel
from outlast.errors import ModelAway
from outlast.interpreter.model import estimate_tokens
from tests.integration.interpreter.clients import WIRE, client
from tests.integration.interpreter.servers import Exchange, Handle, closed_port, serving


def counting(tokens: Callable[[str, bool, bool], int]) -> Handle:
    """A server whose prompts have `tokens(final text, generation prompt?, final message left open?)` tokens."""

    def handle(exchange: Exchange) -> None:
        body = exchange.body
        text = body["messages"][-1]["content"]
        flags = body.get("add_generation_prompt", True), body.get("continue_final_message", False)
        exchange.count(tokens(text, *flags))

    return handle


def vllm(text: str, generation: bool, left_open: bool) -> int:
    return len(text) + 3 * generation + 2 * (not left_open)


SERVERS = {
    "one as vLLM": (vllm, True, True),
    "one whose template strips the final message": (lambda text, g, o: vllm(text.strip(), g, o), True, False),
    "one that ignores what it does not know": (lambda text, g, o: vllm(text, True, False), False, False),
    "one that only leaves the generation prompt out": (lambda text, g, o: vllm(text, g, False), False, False),
    "one that always counts the same": (lambda text, g, o: 7, False, False),
}


@pytest.mark.parametrize(("tokens", "words", "spaces"), SERVERS.values(), ids=SERVERS.keys())
def test_only_a_server_whose_count_proves_it_continues(
    tokens: Callable[[str, bool, bool], int], words: bool, spaces: bool
) -> None:
    with serving(counting(tokens)) as server, client(server.url) as model:
        assert model.continues("a text that ends in a word") is words
        assert model.continues("a line that has ended\n") is spaces
        assert model.continues() is spaces


@pytest.mark.parametrize("continues", [True, False])
def test_the_scripted_server_is_found_out(continues: bool) -> None:
    with ScriptedModel(["x"], continues=continues) as server, client(server.url) as model:
        assert model.continues() is continues
        assert all(body["max_tokens"] == 1 and not body.get("stream") for body in server.requests)


def test_a_server_is_probed_once() -> None:
    with serving(counting(vllm)) as server, client(server.url) as model:
        model.continues()
        asked = len(server.seen)
        model.continues("again\n")
        assert len(server.seen) == asked


@pytest.mark.parametrize("blank", ["", " ", "\n\n\t"])
def test_a_blank_text_is_never_continued(blank: str) -> None:
    with serving(counting(vllm)) as server, client(server.url) as model:
        assert model.continues(blank) is False
        assert server.seen == []


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_server_that_refuses_the_probe_does_not_continue(status: int) -> None:
    with serving(lambda exchange: exchange.answer(status, b"{}")) as server, client(server.url) as model:
        assert model.continues() is False
        assert model.continues() is False
        assert len(server.seen) == 1


def test_a_server_that_counts_nothing_does_not_continue() -> None:
    body = json.dumps({"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": []}).encode()
    with serving(lambda exchange: exchange.answer(200, body)) as server, client(server.url) as model:
        assert model.continues() is False


def test_a_server_that_is_away_has_not_answered_and_is_asked_again() -> None:
    faults = [{"kind": "status", "status": 503, "probes": True}]
    with ScriptedModel(["x"], faults=faults) as server, client(server.url) as model:
        with pytest.raises(ModelAway):
            model.continues()
        assert model.continues() is True


def test_tokens_are_counted_by_the_server_where_it_can() -> None:
    def tokenize(exchange: Exchange) -> None:
        exchange.answer(200, json.dumps({"count": 41, "max_model_len": 4096, "tokens": []}).encode())

    with serving(tokenize) as server, client(server.url) as model:
        assert model.count_tokens(WIRE) == 41
    ((path, _, body),) = server.seen
    assert path == "/tokenize"
    assert body == {"model": "m", "messages": WIRE, "add_generation_prompt": True}


def test_a_server_that_does_not_count_is_asked_once_and_then_guessed_for() -> None:
    with serving(lambda exchange: exchange.answer(404, b"{}")) as server, client(server.url) as model:
        assert model.count_tokens(WIRE) == model.count_tokens(WIRE) == estimate_tokens(WIRE)
        assert len(server.seen) == 1


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"count": null}', b"<html>"])
def test_an_answer_that_is_no_count_is_guessed_for(answer: bytes) -> None:
    with serving(lambda exchange: exchange.answer(200, answer)) as server, client(server.url) as model:
        assert model.count_tokens(WIRE) == estimate_tokens(WIRE)


def test_a_server_that_is_away_is_guessed_for_and_counts_again_later() -> None:
    answers = [(503, b"{}"), (200, b'{"count": 5}')]
    with serving(lambda exchange: exchange.answer(*answers.pop(0))) as server, client(server.url) as model:
        assert model.count_tokens(WIRE) == estimate_tokens(WIRE)
        assert model.count_tokens(WIRE) == 5
    with client(f"http://127.0.0.1:{closed_port()}/v1") as model:
        assert model.count_tokens(WIRE) == estimate_tokens(WIRE)
