"""The estimate of tokens, where the server does not count."""

from __future__ import annotations

import pytest

from outlast.interpreter.model import estimate_tokens, sendable

#: Text, and its tokens counted by hand: a word of the vocabulary is one, a digit, a sign and a line break one each.
SAMPLES = [
    ("The quick brown fox jumps over the lazy dog.", 10),
    ("2024-01-15,north,1234.56\n" * 10, 210),
    ("def f(x):\n    return x ** 2\n", 13),
    ("数据清洗完成共有一百行", 11),
    ("a,b,c,d", 7),
    ("", 0),
]


@pytest.mark.parametrize(("text", "tokens"), SAMPLES)
def test_the_estimate_is_on_the_safe_side(text: str, tokens: int) -> None:
    assert estimate_tokens([{"role": "user", "content": text}]) >= tokens


def test_the_estimate_grows_with_every_message() -> None:
    one = [{"role": "user", "content": "x"}]
    assert estimate_tokens(one * 3) > estimate_tokens(one * 2)


def test_messages_are_sent_as_they_are_unless_no_utf8_can_hold_them() -> None:
    wire = [{"role": "user", "content": " é \U0001f600\n\0 "}]
    assert sendable(wire) is wire
    assert sendable([{"role": "user", "content": "a\ud83d\ude00b\ud800"}])[0]["content"] == "a\U0001f600b�"
