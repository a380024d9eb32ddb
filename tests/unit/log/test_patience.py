from __future__ import annotations

from itertools import pairwise

import pytest
import redis

from outlast.errors import RedisAway
from outlast.log.patience import LONGEST_PAUSE, Patience, at_once, is_away


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("refused"),
        redis.TimeoutError("silence"),
        redis.BusyLoadingError("loading"),
        redis.ReadOnlyError("READONLY You can't write against a read only replica."),
        redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'. script: x, on @user_script:1."),
        redis.ResponseError("Error running script (call to f_x): @user_script:3: -OOM command not allowed"),
        redis.ResponseError("MISCONF Redis is configured to save RDB snapshots, but cannot"),
        redis.ResponseError("MASTERDOWN Link with MASTER is down"),
        redis.exceptions.MasterDownError("Link with MASTER is down"),
        redis.AuthenticationError("WRONGPASS"),
        redis.InvalidResponse("Protocol Error: b'HTTP/1.1 400 Bad Request'"),
    ],
    ids=repr,
)
def test_what_may_pass_counts_as_away(error: redis.RedisError) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
        redis.ResponseError("unknown command 'XADD'"),
        redis.exceptions.NoPermissionError("this user has no permissions to run the 'xadd' command"),
    ],
    ids=repr,
)
def test_what_will_never_succeed_is_not_repeated(error: redis.RedisError) -> None:
    def fail(again: bool) -> None:
        assert not again
        raise error

    assert not is_away(error)
    with pytest.raises(redis.RedisError) as raised:
        Patience().insist(fail)
    assert raised.value is error


def test_the_pauses_double_up_to_the_longest() -> None:
    paused: list[float] = []
    tries: list[float] = []

    def fail_ten_times(again: bool) -> str:
        assert again == bool(tries)
        tries.append(sum(paused))
        if len(tries) < 10:
            raise redis.ConnectionError("away")
        return "done"

    assert Patience(pause=paused.append).insist(fail_ten_times) == "done"
    between = [round(later - earlier, 6) for earlier, later in pairwise(tries)]
    assert between == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_somebody_who_gives_up_at_once_gets_one_try() -> None:
    tries: list[bool] = []

    def fail(again: bool) -> None:
        tries.append(again)
        raise redis.ConnectionError("away")

    with pytest.raises(RedisAway, match="away"):
        Patience(at_once, on_wait=lambda text: pytest.fail(text)).insist(fail)
    assert tries == [False]


def test_giving_up_cuts_a_pause_short_and_leaves_one_last_try() -> None:
    paused: list[float] = []
    tries: list[bool] = []

    def fail(again: bool) -> None:
        tries.append(again)
        raise redis.ConnectionError("away")

    # Patience ends within the first pause that is long enough to be looked into.
    with pytest.raises(RedisAway):
        Patience(lambda: len(paused) >= 4, pause=paused.append).insist(fail)
    assert len(tries) == 4
    assert all(seconds <= 0.1 for seconds in paused)
