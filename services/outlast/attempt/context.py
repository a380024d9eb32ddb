"""Keeping the conversation inside the model's window: `context_window - max_tokens` tokens."""

from __future__ import annotations

from ..errors import ContextTooLong, Refused
from ..interpreter.model import ModelClient
from ..log.shorten import shorten
from .hold import Hold

#: Tokens that a chat template puts around each message, at most.
MESSAGE_OVERHEAD = 8


def fit(hold: Hold, model: ModelClient, room: int) -> None:
    """Append `context.shortened` if the next request would not fit into `room` tokens.

    The server is asked to count only when it could be close: a token is at least one byte, so the bytes said
    since the server last counted are an upper bound.
    """
    if _at_most(hold) > room and model.count_tokens(hold.state.wire()) > room:
        _shorten(hold, model, room, refused=False)


def shorten_once_more(hold: Hold, model: ModelClient, room: int) -> None:
    """The server refused the request for its length although it was counted: make it shorter than it is."""
    _shorten(hold, model, room, refused=True)


def _at_most(hold: Hold) -> int:
    state = hold.state
    if state.counted_tokens is None:
        return sum(len(message["content"].encode()) + MESSAGE_OVERHEAD for message in state.wire())
    since = state.said[state.counted_said :]
    return state.counted_tokens + sum(len(said.text.encode()) + 256 for said in since)


def _shorten(hold: Hold, model: ModelClient, room: int, *, refused: bool) -> None:
    step = shorten(hold.state, model.count_tokens, room, at_least=refused)
    if step is not None:
        hold.append(step)
        return
    reason = (
        f"the user's own messages of session {hold.session} do not fit into the model's window "
        f"({room} tokens beside the reply); start a new session with a shorter prompt, or raise OUTLAST_CONTEXT_WINDOW"
    )
    raise (ContextTooLong if refused else Refused)(reason)
