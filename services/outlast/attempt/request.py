"""What a job asks for, read from its raw Redis hash before RQ makes an object of it.

Pure. A job whose hash names code to run, an object to revive or an address to call is refused here, so that no
later step ever meets such a field; so is every request that cannot succeed however often it is tried.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from outlast.attempt.payload import Unreadable, inflate, load_plain
from outlast.errors import Refused

#: RQ's own rule for job ids; a session has the id of the job that opened it.
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,200}")
#: What RQ stores when `--timeout` is not given. It cannot be told from `--timeout 180`.
RQ_DEFAULT_TIMEOUT = 180

_FUNCTIONS = {"outlast.run": "run", "outlast.chat": "chat"}
_CALLBACKS = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name")


#: The options by name, each with the check that returns its value or raises Refused.
Checks = Mapping[str, Callable[[str, Any], Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """One job, understood: move `session` forward with `text`."""

    #: run or chat.
    function: str
    job: str
    session: str
    #: The prompt (run) or the message (chat).
    text: str
    #: Validated options; without `max_seconds` and `auto_run`.
    options: dict[str, Any] = field(default_factory=dict)
    #: Seconds of running time over all attempts, waits excluded; None is no limit.
    max_seconds: float | None = None
    #: The queue that the job came through, and goes back to.
    queue: str = "default"


def parse_request(job_id: str, raw: Mapping[bytes, bytes]) -> Request:
    """Understand the hash of job `job_id`; Refused, with the sentence for the user, if that cannot succeed."""
    if not ID_PATTERN.fullmatch(job_id):
        raise Refused("The job's id may only have letters, digits, _ and -, 200 at most; enqueue it with another id.")
    _refuse_extras(raw)
    function, args, kwargs = _call(raw)
    if function == "run":
        session, text, options = job_id, *_run(args, kwargs)
    else:
        session, text, options = _chat(args, kwargs)
    options.pop("auto_run", None)
    limit = options.pop("max_seconds", None)
    return Request(
        function=function,
        job=job_id,
        session=session,
        text=text,
        options=options,
        max_seconds=_timeout(raw) if limit is None else limit,
        queue=queue_of(raw),
    )


def queue_of(raw: Mapping[bytes, bytes]) -> str:
    """The queue that the job came through."""
    return raw.get(b"origin", b"").decode("utf-8", "replace") or "default"


def _refuse_extras(raw: Mapping[bytes, bytes]) -> None:
    for name in _CALLBACKS:
        if raw.get(name):
            kind = name.decode().removesuffix("_name").replace("_", " ")
            raise Refused(f"The job has a {kind}; Outlast runs no callbacks: enqueue it without one.")
    if raw.get(b"webhooks", b"") not in (b"", b"[]", b"null"):
        raise Refused("The job has webhooks; Outlast calls no addresses: enqueue it without them.")
    if raw.get(b"repeats_left", b"") not in (b"", b"0"):
        raise Refused("The job is to be repeated; a session runs once: enqueue a new job for every run.")


def _call(raw: Mapping[bytes, bytes]) -> tuple[str, list[Any], dict[str, Any]]:
    """Function, arguments and keywords of the job."""
    if b"data" not in raw:
        raise Refused("The job has no function and arguments; enqueue it again.")
    try:
        call = load_plain(inflate(raw[b"data"]))
    except Unreadable as reason:
        raise Refused(
            f"The job's arguments cannot be read: {reason}. "
            "Enqueue it with the stock `rq enqueue`, plain values and no --serializer."
        ) from None
    if not isinstance(call, tuple) or len(call) != 4:
        raise Refused("The job's data has not the shape that RQ gives it; enqueue it with the stock `rq enqueue`.")
    name, instance, args, kwargs = call
    if not isinstance(name, str) or name not in _FUNCTIONS:
        shown = name[:100] if isinstance(name, str) else type(name).__name__
        raise Refused(f"This worker runs only outlast.run and outlast.chat, not {shown!r}; enqueue one of these.")
    if instance is not None:
        raise Refused("The job is a method of an object, and Outlast revives no objects; enqueue outlast.run instead.")
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, dict):
        raise Refused("The job's arguments have not the shape that RQ gives them; enqueue it with `rq enqueue`.")
    if not all(isinstance(key, str) for key in kwargs):
        raise Refused("The job has an option whose name is no text; enqueue it with `rq enqueue`.")
    return _FUNCTIONS[name], list(args), dict(kwargs)


def _run(args: list[Any], kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Prompt and options of `outlast.run`."""
    if len(args) > 1:
        raise Refused("outlast.run takes one prompt; put it in quotes: rq enqueue outlast.run prompt='…'.")
    options, rest = _split(kwargs, _OPTIONS)
    given = [*args, *(rest.pop(name) for name in ("prompt",) if name in rest)]
    text = _text(given, rest, "prompt", _OPTIONS)
    _check_together(options)
    return text, options


def _chat(args: list[Any], kwargs: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Session, message and options of `outlast.chat`."""
    options, rest = _split(kwargs, _CHAT_OPTIONS)
    session = rest.pop("session") if "session" in rest else args.pop(0) if args else None
    if not isinstance(session, str) or not ID_PATTERN.fullmatch(session):
        raise Refused(
            "outlast.chat needs a session's id (`outlast list` shows them): rq enqueue outlast.chat ID message='…'."
        )
    if len(args) > 1:
        raise Refused("outlast.chat takes one message; put it in quotes: rq enqueue outlast.chat ID message='…'.")
    given = [*args, *(rest.pop(name) for name in ("message", "prompt") if name in rest)]
    return session, _text(given, rest, "message", _CHAT_OPTIONS), options


def _split(kwargs: dict[str, Any], known: Checks) -> tuple[dict[str, Any], dict[str, Any]]:
    """The validated options, and the keywords that are none."""
    options = {name: known[name](name, value) for name, value in kwargs.items() if name in known}
    return options, {name: value for name, value in kwargs.items() if name not in known}


def _text(given: list[Any], rest: dict[str, Any], noun: str, known: Checks) -> str:
    """The prompt or message, rebuilt where RQ's command line took it apart at its `=`.

    `given` are the texts named as such; `rest` are keywords that are no options. RQ makes
    `{"keep rows where year>": "2020"}` of "keep rows where year>=2020"; no option has a name like that.
    """
    for name in rest:
        if name.isidentifier():
            raise Refused(_unknown(name, noun, known))
    if len(given) + len(rest) > 1:
        raise Refused(f"The job has more than one {noun}; give one, as {noun}='…'.")
    if rest:
        ((keyword, value),) = rest.items()
        # `key:=json` and `key%=literal` lose their spelling in RQ's client; JSON is the nearest there is.
        given = [f"{keyword}={value}" if isinstance(value, str) else f"{keyword}:={json.dumps(value, default=repr)}"]
    text = given[0] if given else ""
    if not isinstance(text, str):
        raise Refused(f"The {noun} is a {type(text).__name__}, not a text; give it as {noun}='…'.")
    if not text.strip():
        raise Refused(f"The {noun} is empty; give one, as {noun}='…'.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(f"The {noun} is not valid UTF-8 text; give it in that encoding.") from None
    return text


def _unknown(name: str, noun: str, known: Checks) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return (
        f"{name!r} is no option.{hint} The options are {', '.join(known)}; "
        f"if it belongs to the {noun}, write {noun}='…'."
    )


def _timeout(raw: Mapping[bytes, bytes]) -> float | None:
    """`--timeout` as a limit on running time; None where there is none."""
    stored = raw.get(b"timeout", b"")
    try:
        seconds = float(stored or -1)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds == 0:
        raise Refused(f"The job's timeout {stored[:50]!r} is no number of seconds; enqueue it with another --timeout.")
    return None if seconds < 0 or seconds == RQ_DEFAULT_TIMEOUT else seconds


def _number(least: float, *, whole: bool = False, above: bool = False) -> Callable[[str, Any], float]:
    """A check for a number (given as one, or as text that is one) of at least, or `above`, `least`."""
    kind: type[int] | type[float] = int if whole else float

    def check(name: str, value: Any) -> float:
        number: float = math.nan
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                number = kind(value) if isinstance(value, str) or not whole or value == int(value) else math.nan
            except (ValueError, OverflowError):
                number = math.nan
        if not math.isfinite(number) or number < least or (above and number == least):
            noun = "whole number" if whole else "number"
            bound = f"above {least:g}" if above else f"of at least {least:g}"
            raise Refused(f"{name}={value!r} is not a {noun} {bound}; write {name}:=NUMBER.")
        return number

    return check


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{name}={value!r} is not a name; write {name}=NAME.")
    return value


def _on_interrupt(name: str, value: Any) -> str:
    if value not in ("rerun", "ask"):
        raise Refused(f"{name}={value!r} is neither rerun nor ask; write {name}=rerun or {name}=ask.")
    return str(value)


def _files(name: str, value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise Refused(f"""{name}={value!r} is not a list of file names; write {name}:='["data.csv"]'.""")
    return list(value)


def _auto_run(name: str, value: Any) -> bool:
    if value is True or (isinstance(value, str) and value.lower() in ("true", "1", "yes")):
        return True
    raise Refused(f"{name}={value!r}: approvals do not exist yet, cells run without asking; leave {name} out.")


_OPTIONS: Checks = {
    "model": _word,
    "max_tokens": _number(1, whole=True),
    "context_window": _number(1, whole=True),
    "on_interrupt": _on_interrupt,
    "files": _files,
    "cell_timeout": _number(0),
    "max_seconds": _number(0, above=True),
    "temperature": _number(0),
    "auto_run": _auto_run,
}
#: The rest is fixed when a session opens.
_CHAT_OPTIONS = {name: _OPTIONS[name] for name in ("max_seconds", "auto_run")}


def _check_together(options: Mapping[str, Any]) -> None:
    window, reply = options.get("context_window"), options.get("max_tokens")
    if window is not None and reply is not None and reply >= window:
        raise Refused(
            f"max_tokens={reply} leaves no room for the conversation in context_window={window}; make it smaller."
        )
