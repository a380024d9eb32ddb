"""Keeping the conversation inside the model's window: `context_window - max_tokens` tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ContextTooLong, Refused
from ..interpreter.model import ModelClient
from ..log.shorten import shorten
from ..settings import Settings
from ..stop import StopSignal
from .hold import Hold

#: Tokens that a chat template and an output template put around a message, at most.
MESSAGE_OVERHEAD = 256


class Budget(NamedTuple):
    """Tokens that a reply may have, and tokens that are left for the conversation."""

    reply: int
    room: int


def budget(options: Mapping[str, Any], settings: Settings) -> Budget:
    """How the window is divided; Refused if the options leave no room for the conversation.

    A window that was asked for without a length of the reply leaves at least three quarters to the conversation.
    """
    window = int(options.get("context_window") or settings.context_window)
    reply = int(options.get("max_tokens") or min(settings.max_tokens, max(16, window // 4)))
    if reply >= window:
        raise Refused(
            f"max_tokens {reply} leaves no room for the conversation in a context_window of {window} tokens; "
            "ask for a shorter reply or a larger window"
        )
    return Budget(reply, window - reply)


class Window:
    """The room that the conversation has, in tokens, and what is known of how much it fills.

    The server is asked to count only when it could be close: a token is at least one byte, so the bytes said
    since it last counted are an upper bound.
    """

    def __init__(self, hold: Hold, model: ModelClient, room: int, stop: StopSignal) -> None:
        self._hold, self._model, self._room, self._stop = hold, model, room, stop
        #: Tokens of the conversation when it had so many entries, as counted last.
        self._counted, self._entries = 0, 0

    def fit(self) -> None:
        """Append `context.shortened` if the next request would not fit."""
        if self._at_most() > self._room and self._count() > self._room:
            self._shorten(refused=False)

    def shorten_once_more(self) -> None:
        """The server refused the request for its length although it was counted: make it shorter than it is."""
        self._shorten(refused=True)

    def _at_most(self) -> int:
        state = self._hold.state
        if state.counted_tokens is not None and state.counted_said >= self._entries:
            self._counted, self._entries = state.counted_tokens, state.counted_said
        since = state.said[self._entries :]
        system = 0 if self._entries or state.opened is None else len(state.opened.system_message.encode())
        return self._counted + system + sum(len(said.text.encode()) + MESSAGE_OVERHEAD for said in since)

    def _count(self) -> int:
        state = self._hold.state
        self._counted, self._entries = self._tokens(state.wire()), len(state.said)
        return self._counted

    def _tokens(self, wire: list[dict[str, str]]) -> int:
        return self._model.count_tokens(wire, stop=self._stop)

    def _shorten(self, *, refused: bool) -> None:
        step = shorten(self._hold.state, self._tokens, self._room, at_least=refused)
        if step is not None:
            self._hold.append(step)
            self._counted = self._entries = 0
            return
        reason = (
            f"the user's own messages of session {self._hold.session} do not fit into the model's window "
            f"({self._room} tokens beside the reply); start a new session with a shorter prompt, "
            "or raise OUTLAST_CONTEXT_WINDOW"
        )
        raise (ContextTooLong if refused else Refused)(reason)
