"""Does the server get anywhere? A hung engine answers `/health` with 200, so its figures are watched instead.

Anything that moves in vLLM's own metrics is progress: each step of the engine moves one, a part of a long prompt too
(the count of tokens does not move then, the use of the cache does). A server that has nothing to do moves nothing, so a
quiet one is asked for one token: a healthy server answers, which moves the metrics; a hung one does not.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from dataclasses import dataclass

#: Seconds for an answer of the server's own process. It answers these while the engine computes.
_ANSWER = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """What the metrics were when they last moved, and when that was, in seconds of the monotonic clock."""

    figures: str
    moved: float

    def after(self, figures: str | None, now: float) -> Progress:
        """What is known after another look; None: the server did not answer, which is no progress."""
        return self if figures is None or figures == self.figures else Progress(figures, now)

    def quiet(self, now: float) -> float:
        """Seconds without progress."""
        return now - self.moved


def patience(stall: float) -> float:
    """Seconds that a server may be quiet before it is asked for a token, of those after which it counts as hung."""
    return min(60.0, stall / 4)


class Client:
    """The few requests that the launcher makes of its own server."""

    def __init__(self, port: int, model: str, key: str) -> None:
        self._url, self._model, self._key = f"http://127.0.0.1:{port}", model, key
        self._asked: threading.Thread | None = None
        # Straight to the server, whatever proxy the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ready(self) -> bool:
        """Whether the server says that it serves."""
        return self._get("/health") is not None

    def figures(self) -> str | None:
        """The metrics that only vLLM's engine moves, as text; None without an answer."""
        answer = self._get("/metrics")
        return answer and "\n".join(line for line in answer.splitlines() if line.startswith("vllm:"))

    def ask(self, seconds: float) -> None:
        """Ask for one token, beside everything else; the metrics tell whether it came. At most one question is open."""
        if self._asked is None or not self._asked.is_alive():
            self._asked = threading.Thread(target=self._ask, args=(seconds,), daemon=True)
            self._asked.start()

    def _ask(self, seconds: float) -> None:
        body = json.dumps({"model": self._model, "prompt": [1], "max_tokens": 1}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        self._open(urllib.request.Request(f"{self._url}/v1/completions", body, headers), seconds)  # noqa: S310  # always http, to itself

    def _get(self, path: str) -> str | None:
        return self._open(urllib.request.Request(self._url + path), _ANSWER)  # noqa: S310  # always http, to itself

    def _open(self, request: urllib.request.Request, seconds: float) -> str | None:
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                text: str = answer.read().decode(errors="replace")
                return text
        except (OSError, ValueError):
            return None
