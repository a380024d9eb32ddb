"""Who may do what in Redis: the whole of it, as data.

Redis checks a command against a user's rules and, if they refuse it, against each of the user's selectors: one of
them must allow the command and all of its keys. Inside a script every command is checked again by the same rules,
so leave to run a script on a key is no leave to do anything to it.

No pattern but the readers' and the appenders' own matches a log, `outlast:{<session>}:log`. RQ's keys are RQ's own
business: it uses most commands of a few data types on them, so there the types are allowed; on Outlast's keys, only
the commands that are used. `XADD` cannot be allowed without its `MAXLEN`, which truncates: that a worker did not, only
the digest chain proves (`outlast verify`).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple


class Rules(NamedTuple):
    """Commands (`+name`, `+@category`, `-@category`) on keys (`~pattern`, `%R~pattern`: reading only)."""

    keys: tuple[str, ...]
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((*self.keys, "-@all", *self.commands))


class User(NamedTuple):
    """`selectors` are further rules beside `rules`; `channels` are what may be published and subscribed to."""

    name: str
    rules: Rules
    selectors: tuple[Rules, ...] = ()
    channels: tuple[str, ...] = ()


LOG = "outlast:{*}:log"
HEAD = "outlast:{*}:head"
INBOX = "outlast:{*}:inbox"
WAITERS = "outlast:{*}:waiters"
HANDS = "outlast:hand:*"
LEASES = "outlast:leases"
SESSIONS = "outlast:sessions"
USER_IDS = "outlast:users"
BACKUP = "outlast:backup"

#: What RQ does with its own keys. `sort` and its like are @dangerous.
_RQ = Rules(
    ("~rq:*",),
    (
        *("+@hash", "+@list", "+@set", "+@sortedset", "+@stream", "+@string", "-@dangerous"),
        *("+del", "+exists", "+expire", "+persist", "+ttl", "+type", "+watch", "+unwatch"),
        *("+multi", "+exec", "+discard", "+script|load", "+script|exists", "+eval", "+evalsha"),
        *("+ping", "+info", "+client|setname", "+client|info"),
        *("+publish", "+subscribe", "+unsubscribe"),
    ),
)

_READ_LOG = ("+xrange", "+xrevrange", "+xread", "+xlen", "+xinfo|stream")
_READ_HASH = ("+hget", "+hmget", "+hgetall", "+hexists")

#: `rq` and `outlast` on the host, and in the worker's container when an operator types them.
CLIENT = User(
    "client",
    _RQ,
    (
        Rules((f"%R~{LOG}", f"%R~{INBOX}"), _READ_LOG),
        Rules((f"%R~{HEAD}", f"%R~{LEASES}"), _READ_HASH),
        Rules((f"%R~{SESSIONS}",), ("+zrevrange",)),
        # To leave something in an inbox: deliver.lua reads the head, for who holds the session.
        Rules((f"~{INBOX}",), ("+xadd",)),
        Rules((f"~{INBOX}", f"~{HEAD}"), ("+eval", "+evalsha")),
    ),
    ("rq:pubsub:*",),
)

#: The worker processes and their children.
WORKER = User(
    "worker",
    # It warns of a Redis that would lose what was acknowledged.
    _RQ._replace(commands=(*_RQ.commands, "+config|get")),
    (
        Rules((f"~{LOG}",), ("+xadd", *_READ_LOG)),
        Rules((f"~{INBOX}",), ("+xadd", "+xdel", *_READ_LOG)),
        Rules((f"~{HEAD}",), ("+hset", *_READ_HASH)),
        Rules((f"~{LEASES}",), ("+hset", "+hdel", "+hincrby", *_READ_HASH)),
        Rules((f"~{SESSIONS}",), ("+zadd", "+zrevrange")),
        # Whoever makes a backup does so as this user; the others only look.
        Rules((f"~{BACKUP}",), ("+get", "+set", "+del")),
        # redis-py has no INCR of its own.
        Rules((f"~{USER_IDS}",), ("+incrby",)),
        # A job moves between RQ's queues and ours in one command, and both are watched in one.
        Rules(
            ("~rq:*", f"~{HANDS}", f"~{WAITERS}"),
            (
                *("+blmove", "+lmove", "+rpush", "+lrem", "+lpos", "+lrange", "+lindex", "+del", "+watch"),
            ),
        ),
        Rules(
            ("~rq:*", *(f"~{key}" for key in (LOG, HEAD, INBOX, WAITERS, HANDS, LEASES, SESSIONS))),
            ("+eval", "+evalsha"),
        ),
    ),
    ("rq:pubsub:*",),
)

#: The operator, for what nobody else may: it can delete logs.
ADMIN = User("admin", Rules(("~*",), ("+@all",)), channels=("*",))

#: The container's own health check; its password is made at each start and leaves the container nowhere.
HEALTH = User("health", Rules((), ("+ping", "+info")))

USERS = (CLIENT, WORKER, ADMIN, HEALTH)

#: Nobody can be this user: it is off and has no password. It keeps all rights because Redis 7.0 replays the append-only
#: file as this user, and skips every transaction in it that this user might not run: all but in silence.
DEFAULT = "user default off resetpass ~* &* +@all"


def render(passwords: Mapping[str, str]) -> str:
    """The ACL file for these passwords by user name, which it holds as SHA-256 only; the default user is off."""
    lines = [DEFAULT]
    for user in USERS:
        digest = sha256(passwords[user.name].encode()).hexdigest()
        channels = " ".join(("resetchannels", *(f"&{channel}" for channel in user.channels)))
        selectors = " ".join(f"({rules})" for rules in user.selectors)
        lines.append(f"user {user.name} on #{digest} {channels} {user.rules} {selectors}".rstrip())
    return "\n".join(lines) + "\n"
