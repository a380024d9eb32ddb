"""One reply of the model: asked for, logged as it comes, continued when it was cut.

What has been logged is never generated again if the server can continue it; else a record says that it does
not count, and the model is asked anew. A server that is away costs nothing but time: the turn waits.
"""

from __future__ import annotations

import select
import time

from ..errors import ContextTooLong, ModelAway, OutlastError, Stopped
from ..interpreter.model import Delta, Finish, ModelClient
from ..interpreter.reply import Part, ReplyParser
from ..log.records import Cell, NoteAdded, ReplyDelta, ReplyDiscarded, ReplyFinished
from ..settings import Settings
from ..stop import StopSignal
from .context import Window, budget
from .hold import Hold

#: Seconds of generated text that a crash may cost.
FLUSH_SECONDS = 0.5
#: Seconds between two tries while the server is away: from the first to the cap, doubling; and those that the server
#: itself may ask for at most (Retry-After). Half an hour away is some 365 tries, and two records.
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_WISH = 0.25, 5.0, 60.0

CUT_AT_LIMIT = (
    "Your last reply was cut off at the limit of {limit} tokens, and none of its code was run. "
    "Go on in smaller steps: one short code block at a time."
)


class Asking:
    """Asks the model for the next reply of one attempt."""

    def __init__(self, hold: Hold, model: ModelClient, settings: Settings, stop: StopSignal) -> None:
        self._hold, self._model, self._settings, self._stop = hold, model, settings, stop
        options = hold.state.opened.options if hold.state.opened else {}
        self._max_tokens, room = budget(options, settings)
        self._window = Window(hold, model, room, stop)
        self._temperature = float(options.get("temperature", settings.temperature))

    def tell_cut(self) -> None:
        """Tell the model that its last reply was cut off at its limit, if that is how the conversation ends."""
        state = self._hold.state
        if state.said[-1].kind == "reply" and not state.partial:
            self._hold.append(NoteAdded(CUT_AT_LIMIT.format(limit=self._max_tokens)))

    def reply(self) -> list[Part]:
        """The whole next reply as Open Interpreter is to get it; logged and finished when this returns."""
        hold = self._hold
        started, waiting = time.monotonic(), _Waiting(hold, self._stop)
        stream = _Stream(hold)
        finish = Finish("fence", None, None)
        while not stream.parser.ended:
            try:
                if not stream.text:
                    self._window.fit()
                self._continuable(stream)
                finish = self._stream(stream, waiting)
                break
            except ModelAway as away:
                waiting.pause(str(away), away.retry_after)
            except ContextTooLong:
                if stream.text:
                    # Whole, the reply would have fitted: going on from it asks for as much again as it may have in all.
                    stream.discard("the model's window has no room to go on from it")
                else:
                    self._window.shorten_once_more()
        parts = stream.parser.finish(complete=finish.finish_reason != "length")
        cell = stream.parser.cell
        hold.append(
            ReplyFinished(
                text=stream.take(),
                cell=Cell(*cell) if cell else None,
                finish_reason="fence" if stream.parser.ended else finish.finish_reason,
                seconds=round(time.monotonic() - started, 3),
                prompt_tokens=finish.prompt_tokens,
                completion_tokens=finish.completion_tokens,
            )
        )
        return stream.parts + parts

    def _continuable(self, stream: _Stream) -> None:
        """Discard what was logged of the reply unless the server can go on from it."""
        if not stream.text:
            return
        if self._model.continues(stream.text, stop=self._stop):
            return
        blank = not stream.text.strip()
        stream.discard("it was blank so far" if blank else "the model server cannot continue a half-finished reply")

    def _stream(self, stream: _Stream, waiting: _Waiting) -> Finish:
        pieces = self._model.stream(
            self._hold.state.wire(),
            partial=stream.text or None,
            max_tokens=self._max_tokens,
            temperature=self._temperature,
            stop=self._stop,
        )
        finish = Finish("fence", None, None)
        try:
            for piece in pieces:
                waiting.over()
                if isinstance(piece, Delta):
                    stream.feed(piece.text)
                    if stream.parser.ended:
                        break
                elif isinstance(piece, Finish):
                    finish = piece
        except OutlastError:
            stream.flush()
            raise
        finally:
            pieces.close()
        return finish


class _Stream:
    """The text of one reply: what the parser has seen, and what of it is not in the log yet."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._start(hold.state.partial)

    def _start(self, logged: str) -> None:
        self.text = logged
        self.parser = ReplyParser()
        self.parts: list[Part] = list(self.parser.feed(logged)) if logged else []
        self._unlogged = ""
        self._flushed_at = time.monotonic()

    def feed(self, text: str) -> None:
        self.parts += self.parser.feed(text)
        belongs = text[: self.parser.length - len(self.text)] if self.parser.ended else text
        self.text += belongs
        self._unlogged += belongs
        if not self.parser.ended and time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._unlogged:
            self._hold.append(ReplyDelta(self.take()))
        self._flushed_at = time.monotonic()

    def take(self) -> str:
        unlogged, self._unlogged = self._unlogged, ""
        return unlogged

    def discard(self, why: str) -> None:
        if self._hold.state.partial:
            self._hold.append(ReplyDiscarded(why))
        self._start("")


def pause_seconds(tries: int, wish: float | None = None) -> float:
    """How long to wait after so many tries in vain (from 1); `wish`: what the server asked for, if it did."""
    usual = min(FIRST_PAUSE * (1 << min(tries - 1, 10)), LONGEST_PAUSE)
    return max(usual, min(wish or 0.0, LONGEST_WISH))


class _Waiting:
    """One outage of the model server: a record when it begins, one with its length when it is over.

    It has begun with the last sign of life: how long a server was silent before it counted as away is no running time.
    """

    def __init__(self, hold: Hold, stop: StopSignal) -> None:
        self._hold, self._stop = hold, stop
        self._heard_at = hold.now()
        self._tries = 0

    def pause(self, why: str, wish: float | None) -> None:
        self._hold.wait(why, since=self._heard_at)
        self._tries += 1
        readable, _, _ = select.select([self._stop], [], [], pause_seconds(self._tries, wish))
        if readable:
            self.over()
            raise Stopped(self._stop.reason)

    def over(self) -> None:
        self._heard_at, self._tries = self._hold.now(), 0
        self._hold.resume()


