"""Each user of Redis may do what it must, and nothing else: a real Redis with the real rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis

from outlast.attempt import users
from outlast.backup.standstill import standstill
from outlast.kernel.confine import Confinement
from outlast.kernel.workspace import FIRST_UID
from outlast.log.inbox import RedisInbox
from outlast.log.patience import Patience
from outlast.log.redis_log import RedisLog, connect
from outlast.log.verify import verify
from outlast.settings import Settings
from tests.integration.redis.conftest import Connect
from tests.kept_redis import PASSWORDS, KeptRedis
from tests.unit.cli.sample import play

LOG, HEAD, INBOX = (f"outlast:{{sales}}:{part}" for part in ("log", "head", "inbox"))

#: How Redis says that a user may not: to the user, and from inside a script.
REFUSED = r"permission|ACL failure|executing the script can't"

#: Every way to change a log that is not to append to it. (The `eval`s name the log as a key, and do not.)
SPOILING = [
    f"DEL {LOG}",
    f"UNLINK {LOG}",
    f"XDEL {LOG} 0-1",
    f"XTRIM {LOG} MAXLEN 1",
    f"XSETID {LOG} 9-9",
    f"XGROUP CREATE {LOG} group 0",
    f"EXPIRE {LOG} 1",
    f"PEXPIREAT {LOG} 1",
    f"PERSIST {LOG}",
    f"RENAME {LOG} rq:away",
    f"RENAME rq:mine {LOG}",
    f"RENAMENX {LOG} rq:away",
    f"COPY rq:mine {LOG} REPLACE",
    f"MOVE {LOG} 1",
    f"RESTORE {LOG} 0 x REPLACE",
    f"SET {LOG} x",
    f"SETEX {LOG} 1 x",
    f"GETDEL {LOG}",
    f"MSET {LOG} x",
    f"BITOP NOT {LOG} rq:mine",
    f"SORT rq:mine STORE {LOG}",
    f"SUNIONSTORE {LOG} rq:mine",
    f"ZUNIONSTORE {LOG} 1 rq:mine",
    f"LMOVE rq:mine {LOG} LEFT LEFT",
    f"PFMERGE {LOG} rq:mine",
    f"GEOSEARCHSTORE {LOG} rq:mine FROMLONLAT 0 0 BYRADIUS 1 m",
    f"MIGRATE 127.0.0.1 1 {LOG} 0 1",
    f"EVAL return(redis.call('DEL',KEYS[1])) 1 {LOG}",
    f"EVAL return(redis.call('DEL','{LOG}')) 0",
    f"EVAL return(redis.call('XTRIM',KEYS[1],'MAXLEN',1)) 1 {LOG}",
    f"EVAL return(redis.call('SET',KEYS[1],'x')) 1 {LOG}",
]

#: To append to it, too.
WRITING = [
    *SPOILING,
    f"XADD {LOG} 9-0 type x",
    f"XADD {LOG} * type x",
    f"XADD {LOG} NOMKSTREAM MAXLEN 1 9-0 type x",
    f"EVAL return(redis.call('XADD',KEYS[1],'9-0','type','x')) 1 {LOG}",
    f"HSET {HEAD} holder me",
    f"DEL {HEAD}",
    f"XDEL {INBOX} 1-1",
    f"DEL {INBOX}",
    "ZADD outlast:sessions 1 x",
    "HSET outlast:leases x 1",
    "RPUSH outlast:hand:x x",
    "INCR outlast:users",
    "INCRBY outlast:users 1",
    "SET outlast:backup x",
    "DEL outlast:backup",
]

#: What nobody but the administrator may ask of Redis.
DANGEROUS = [
    *("FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SHUTDOWN NOSAVE", "SAVE", "BGSAVE", "BGREWRITEAOF", "FAILOVER"),
    *("CONFIG SET appendonly no", "CONFIG REWRITE", "CONFIG RESETSTAT", "REPLICAOF 127.0.0.1 1"),
    *("ACL SETUSER client +@all", "ACL GETUSER admin", "ACL LIST", "ACL SAVE", "MODULE LIST"),
    *("KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "MONITOR", "SLOWLOG GET", "LATENCY RESET", "MEMORY DOCTOR"),
    *("CLIENT LIST", "CLIENT KILL 127.0.0.1:1", "CLIENT PAUSE 1", "CLIENT NO-EVICT on", "OBJECT FREQ x"),
    *("SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION LOAD x", "FUNCTION FLUSH", "FCALL x 0"),
    *("PSUBSCRIBE *", "SUBSCRIBE other", "PUBLISH other x", "SORT rq:mine GET *", "SET mine x", "GET mine"),
]


def ask(connection: redis.Redis, words: str) -> object:
    """Send a command; `_` and the like need no escape, for no word has a space."""
    return connection.execute_command(*words.split())  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


def not_refused(connection: redis.Redis, commands: Sequence[str]) -> list[str]:
    """Those of the commands that Redis did not refuse for want of leave; another error is none of it."""
    taken: list[str] = []
    for words in commands:
        try:
            ask(connection, words)
        except redis.ResponseError as error:
            if re.search(REFUSED, str(error)):
                continue
        taken.append(words)
    return taken


@pytest.fixture
def sales(kept: KeptRedis, as_user: Connect) -> RedisLog:
    """A played session, written as the worker writes; read as the administrator reads."""
    play(RedisLog(as_user("worker"), "sales"))
    return RedisLog(as_user("admin"), "sales")


@pytest.mark.parametrize(("user", "commands"), [("client", WRITING), ("worker", SPOILING)])
def test_the_client_writes_no_log_and_the_worker_does_no_more_than_append(
    sales: RedisLog, as_user: Connect, user: str, commands: Sequence[str]
) -> None:
    before = sales.read()
    assert not_refused(as_user(user), commands) == []
    assert sales.read() == before and verify(before, sales.head()).ok


def test_the_worker_counts_the_users_of_sessions(
    as_user: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(users, "confinement", lambda settings: Confinement("strict", ("user",)))
    settings = Settings(workspaces=str(tmp_path))
    first, second = (users.new(as_user("worker"), settings, Patience()) for _ in range(2))
    assert FIRST_UID < first < second
    for words in ("SET outlast:users 0", "DEL outlast:users", "DECR outlast:users"):
        assert not_refused(as_user("worker"), [words]) == []


def test_a_backup_holds_cells_up_as_the_worker_does_and_takes_nothing_else(as_user: Connect) -> None:
    with standstill(as_user("worker"), "20261123T041122.250Z") as held:
        held.demand()
        assert as_user("worker").get("outlast:backup") == b"20261123T041122.250Z"
    assert as_user("admin").exists("outlast:backup") == 0
    assert not_refused(as_user("worker"), ["APPEND outlast:backup x", "RENAME outlast:backup rq:mine"]) == []


def test_the_administrator_is_refused_none_of_it(sales: RedisLog, as_user: Connect) -> None:
    assert not_refused(as_user("admin"), WRITING) == WRITING


def test_a_transaction_is_no_way_round(sales: RedisLog, as_user: Connect) -> None:
    before = sales.read()
    for user in ("client", "worker"):
        with as_user(user).pipeline(transaction=True) as both:
            both.get("rq:mine")
            both.delete(LOG)
            with pytest.raises(redis.exceptions.ResponseError, match="permission"):
                both.execute()
    assert sales.read() == before


def test_the_worker_appends_and_reads_and_the_client_reads(sales: RedisLog, as_user: Connect) -> None:
    whole = RedisLog(as_user("worker"), "sales").read()
    assert whole and RedisLog(as_user("client"), "sales").read() == whole
    last = whole[-1].id
    assert ask(as_user("worker"), f"XADD {LOG} {last.attempt + 1}-0 type x")


def test_a_worker_that_truncates_while_it_appends_is_found_out(sales: RedisLog, as_user: Connect) -> None:
    last = sales.read()[-1].id
    ask(as_user("worker"), f"XADD {LOG} MAXLEN 3 {last.attempt + 1}-0 type x")
    assert as_user("admin").xlen(LOG) == 3
    assert ask(as_user("admin"), f"XDEL {LOG} {last.attempt + 1}-0")
    assert not verify(sales.read(), sales.head()).ok


def test_the_client_leaves_things_in_an_inbox_and_the_worker_takes_them_out(sales: RedisLog, as_user: Connect) -> None:
    RedisInbox(as_user("client"), "sales").deliver("message", "job-2", {"text": "go on"})
    inbox = RedisInbox(as_user("worker"), "sales")
    (entry,) = inbox.unread()
    assert entry.body == {"text": "go on"}
    inbox.remove(entry.id)
    assert RedisInbox(as_user("client"), "sales").unread() == []


@pytest.mark.parametrize("user", ["client", "worker", "health"])
def test_what_is_dangerous_is_the_administrators(as_user: Connect, user: str) -> None:
    assert not_refused(as_user(user), DANGEROUS) == []


def test_only_who_warns_of_a_redis_that_loses_data_reads_its_configuration(as_user: Connect) -> None:
    assert as_user("worker").config_get("append*")["appendfsync"] == "always"
    with pytest.raises(redis.exceptions.NoPermissionError):
        as_user("client").config_get("append*")


def test_the_administrator_may_delete_a_log_and_look_at_everything(sales: RedisLog, as_user: Connect) -> None:
    admin = as_user("admin")
    assert admin.config_get("save") and admin.acl_whoami() == "admin" and admin.dbsize()
    assert admin.delete(LOG) == 1


@pytest.mark.parametrize("user", ["client", "worker", "admin"])
@pytest.mark.parametrize("words", ["DEBUG SLEEP 0", "MODULE LOAD /x", "CONFIG SET dir /tmp", "CONFIG SET dbfilename x"])
def test_not_even_the_administrator_leaves_the_data_directory_or_runs_code(
    as_user: Connect, user: str, words: str
) -> None:
    with pytest.raises(redis.exceptions.ResponseError, match=r"not allowed|protected|permission"):
        ask(as_user(user), words)


def test_nobody_gets_in_without_a_name(kept: KeptRedis) -> None:
    for words in ("PING", f"XLEN {LOG}", "SET rq:mine x", "INFO", "CONFIG GET *", "EVAL return(1) 0", "RESET"):
        with connect(f"redis://127.0.0.1:{kept.port}") as nobody, pytest.raises(redis.exceptions.AuthenticationError):
            ask(nobody, words)
            ask(nobody, "PING")


@pytest.mark.parametrize("user", ["default", "client", "worker", "admin", "health", "nobody"])
def test_nobody_gets_in_with_a_wrong_password(kept: KeptRedis, user: str) -> None:
    for password in ("", "wrong", PASSWORDS["client"] + "x"):
        with (
            connect(f"redis://127.0.0.1:{kept.port}", username=user, password=password) as someone,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            someone.ping()
