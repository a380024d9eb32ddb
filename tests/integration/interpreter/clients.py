"""Asking with the real client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from outlast.interpreter.model import Delta, Finish, ModelClient
from outlast.settings import Settings
from outlast.stop import StopSignal

WIRE = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]


@contextmanager
def client(url: str, **settings: Any) -> Iterator[ModelClient]:
    model = ModelClient(Settings(model_url=url, model="m", **settings))
    try:
        yield model
    finally:
        model.close()


def ask(model: ModelClient, stop: StopSignal | None = None, partial: str | None = None) -> tuple[str, Finish]:
    """The whole reply and how it finished."""
    own = StopSignal()
    # Not `stop or own`: a signal is false until it is set.
    heeded = own if stop is None else stop
    try:
        pieces = list(model.stream(WIRE, partial=partial, max_tokens=100, temperature=0.0, stop=heeded))
    finally:
        own.close()
    assert isinstance(pieces[-1], Finish)
    return "".join(piece.text for piece in pieces if isinstance(piece, Delta)), pieces[-1]
