from __future__ import annotations

import time
from itertools import pairwise
from threading import Barrier, Event, Thread

import pytest
import redis

from outlast.errors import RedisAway
from outlast.log import patience
from outlast.log.patience import LONGEST_PAUSE, Patience, at_once, is_away
from outlast.queue import pulse


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


@pytest.mark.parametrize("longest", [patience.LONGEST_PAUSE, pulse.LONGEST_PAUSE])
def test_from_redis_return_to_the_next_try_it_is_three_seconds_at_most(
    longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", longest)
    now, begun = 0.0, []

    def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    def fail(again: bool) -> None:
        nonlocal now
        begun.append(now)
        if len(begun) < 20:
            # The longest that a try takes of which Redis's return notices nothing.
            now += patience.CONNECT_SECONDS
            raise redis.ConnectionError("no answer")

    Patience(pause=pause).insist(fail)
    assert max(after - before for before, after in pairwise(begun)) < 3.001


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


def test_each_try_but_the_first_is_over_a_new_connection() -> None:
    steps: list[str] = []

    def fail_twice(again: bool) -> None:
        steps.append("try")
        if steps.count("try") < 3:
            raise redis.ConnectionError("away")

    Patience(pause=lambda _: None, reconnect=lambda: steps.append("connect")).insist(fail_twice)
    assert steps == ["try", "connect", "try", "connect", "try"]


def test_the_time_that_was_waited_counts_from_the_command_that_failed_to_the_one_that_did_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    seen: list[float] = []

    def fail_twice(again: bool) -> None:
        now[0] += 5  # It is not refused: nobody answers.
        seen.append(patience.waited)
        if len(seen) < 3:
            raise redis.TimeoutError("silence")

    def rest(seconds: float) -> None:
        now[0] += seconds

    patience = Patience(pause=rest)
    patience.insist(fail_twice)
    assert seen == [0.0, pytest.approx(10.05), pytest.approx(15.15)]
    assert patience.waited == pytest.approx(15.15)
    now[0] += 100
    patience.ask(lambda: None)
    assert patience.waited == pytest.approx(15.15)


def test_time_in_which_two_threads_wait_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    both, may_end = Barrier(3, timeout=60), Event()

    def fail_once(again: bool) -> None:
        if not again:
            raise redis.ConnectionError("away")
        both.wait()
        may_end.wait(60)

    patience = Patience(pause=lambda _: None)
    threads = [Thread(target=patience.insist, args=(fail_once,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    both.wait()
    now[0] += 10
    assert patience.waited == 10
    may_end.set()
    for thread in threads:
        thread.join()
    assert patience.waited == 10
