"""A Jupyter session that never sends a message which the worker's socket would refuse.

The worker's socket drops the whole connection at a message over its limit, and the cell would hang. So every
message is bounded here, where it is made: streams come in pieces already (see `streams`), displays that are
too large become a sentence, and texts of errors are cut.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from jupyter_client.session import Session

#: Bytes of all representations of a displayed object together, as they are sent; what would be over is not shown.
DISPLAY_BYTES = 4 * 1024 * 1024
#: Characters of one text in an error or a reply.
TEXT_CHARS = 64 * 1024

_DISPLAYS = frozenset({"display_data", "update_display_data", "execute_result"})
#: Messages that are never large, or are bounded where they are made; walking them would cost time on every print.
_SMALL = frozenset({"stream", "status", "execute_input"})


def encodable(text: str) -> str:
    """`text` with lone surrogates, which no message can carry, written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def bounded_display(data: dict[str, Any]) -> dict[str, Any]:
    """The representations of a displayed object without the oversized ones, which a text names instead."""
    kept: dict[str, Any] = {}
    refused: list[str] = []
    total = 0
    # A picture before all, and text before what nobody here looks at.
    for kind in sorted(data, key=lambda kind: (not kind.startswith("image/"), kind != "text/plain")):
        value = data[kind]
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        if not isinstance(value, str):
            continue  # What draws itself with a script: nobody here runs it, and there is a text beside it.
        value = encodable(value)
        size = _sent_bytes(value)
        if total + size > DISPLAY_BYTES:
            refused.append(f"{kind} of {size / 1048576:.1f} MiB")
        else:
            kept[kind] = value
            total += size
    if refused and not any(kind.startswith("image/") for kind in kept):
        note = f"[not shown, larger than {DISPLAY_BYTES // 1048576} MiB: {', '.join(refused)}]"
        kept["text/plain"] = f"{kept['text/plain']}\n{note}" if "text/plain" in kept else note
    return kept


def _sent_bytes(text: str) -> int:
    """Bytes of a text in a message: a control character alone may take six."""
    if len(text) < DISPLAY_BYTES // 64:
        return 6 * len(text)
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def bounded(value: Any) -> Any:
    """`value` with every text in it cut to `TEXT_CHARS`, its beginning and end kept, and long lists likewise."""
    if isinstance(value, str):
        if len(value) > TEXT_CHARS:
            half = TEXT_CHARS // 2
            value = f"{value[:half]}\n[… {len(value) - 2 * half} characters left out …]\n{value[-half:]}"
        return encodable(value)
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bounded(item) for item in (value if len(value) <= 64 else [*value[:32], *value[-32:]])]
    return value


class BoundedSession(Session):
    """See the module's docstring."""

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Bound what is sent, then send it as Jupyter does."""
        whole = isinstance(msg_or_type, dict)
        kind = msg_or_type["header"]["msg_type"] if whole else msg_or_type
        body = msg_or_type["content"] if whole else content
        if kind not in _SMALL and isinstance(body, dict):
            if kind in _DISPLAYS:
                body = {**body, "data": bounded_display(body.get("data") or {}), "metadata": {}}
            else:
                body = bounded(body)
            if whole:
                msg_or_type = {**msg_or_type, "content": body}
            else:
                content = body
        if kind.startswith("comm_"):
            return None  # Widgets: nobody is there to draw them, and their buffers may be of any size.
        return super().send(stream, msg_or_type, content, *args, **kwargs)
