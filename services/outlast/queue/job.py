"""RQ's job object, made harmless: reading one from Redis runs, imports and inflates nothing.

RQ's own machinery (dependents, results, registries) works on these. A job that this worker carries out never has
a callback or a webhook (`request.parse_request` refused it), but a dependent that it enqueues may.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Never

import rq.job

from outlast.attempt.payload import Unreadable, dump_plain, inflate, load_plain
from outlast.errors import Refused

#: What takes the place of a call that cannot be read; refused again if the job is enqueued again.
_UNREADABLE_CALL: tuple[Any, ...] = ("outlast.unreadable", None, (), {})

#: Fields that a job keeps whatever is wrong with the rest of its hash.
_KEPT = (b"data", b"origin", b"description")

#: Fields that name code to run or addresses to call.
_ACTIVE = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name", b"webhooks")


class Job(rq.job.Job):
    """A job that is data and nothing else."""

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Fill in from the raw hash, unpacking at most the largest allowed payload of any field."""
        bounded = dict(raw_data)
        for name in (b"data", b"exc_info"):
            if name in bounded:
                try:
                    # RQ unpacks it once more; stored without compression it cannot grow.
                    bounded[name] = zlib.compress(inflate(bounded[name]), 0)
                except Unreadable:
                    bounded[name] = zlib.compress(bounded[name], 0)
        super().restore(bounded)

    success_callback = failure_callback = stopped_callback = property(lambda self: None)

    def send_webhooks(self, *args: Any, **kwargs: Any) -> None:
        """Nothing leaves the host."""

    @property
    def func(self) -> Never:
        raise Refused("A job of Outlast is a request and is not called.")


def disarmed(raw: Mapping[bytes, bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
    """The hash of a refused job without what could hurt whoever reads it later; and the fields to delete.

    A stock client that fetches the job unpickles `data` and `meta`; neither may hold more than plain values.
    """
    kept = {name: value for name, value in raw.items() if name not in _ACTIVE}
    try:
        load_plain(inflate(kept.get(b"data", b"")))
    except Unreadable:
        kept[b"data"] = zlib.compress(dump_plain(_UNREADABLE_CALL))
    for name in (b"meta", b"result"):
        if name in kept:
            try:
                load_plain(kept[name])
            except Unreadable:
                del kept[name]
    if b"exc_info" in kept:
        try:
            inflate(kept[b"exc_info"])
        except Unreadable:
            del kept[b"exc_info"]
    # A refused job can never succeed, so it has no retries either.
    for name in (b"retries_left", b"retry_intervals"):
        kept.pop(name, None)
    return kept, [name for name in raw if name not in kept]


def bare(raw: Mapping[bytes, bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
    """As `disarmed`, for a hash that RQ itself cannot read: only what every job needs."""
    kept, _ = disarmed({name: raw[name] for name in _KEPT if name in raw and _is_text(name, raw[name])})
    return kept, [name for name in raw if name not in kept]


def _is_text(name: bytes, value: bytes) -> bool:
    """Whether RQ can decode the field; it never decodes `data`."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return name == b"data"
    return True
