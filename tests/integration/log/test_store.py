"""The rules of the log, for Redis and for the in-memory twin."""

from __future__ import annotations

import threading

import pytest

from outlast.errors import Fenced, LogDamaged, RedisAway
from outlast.log.records import (
    GENESIS,
    AttemptClosed,
    AttemptOpened,
    RecordId,
    ReplyDelta,
    SessionFinished,
    SessionOpened,
)
from outlast.log.store import EMPTY
from outlast.log.verify import verify, verify_log
from tests.integration.log.worlds import World, delta, opened

DRAINED = AttemptClosed("drained")
FINISHED = (AttemptClosed("finished"), SessionFinished(1, 0, 0.5))


def test_a_new_session_begins_with_its_opening_and_its_first_attempt(world: World) -> None:
    log = world.log()
    assert (log.read(), log.tail(), log.head()) == ([], EMPTY, None)
    writer = opened(log, prompt="clean the file")
    records = log.read()
    assert [(str(r.id), r.type) for r in records] == [("0-1", "session.opened"), ("1-0", "attempt.opened")]
    assert records[0].prev == GENESIS
    assert records[0].body == SessionOpened("clean the file")
    assert (writer.attempt, writer.tail, log.tail()) == (1, (records[1].id, records[1].digest, 2), writer.tail)
    assert verify_log(log).problems == ()


def test_the_head_says_who_holds_the_session_and_where_the_log_ended(world: World) -> None:
    log = world.log(clock=lambda: 1234.5)
    tail = opened(log, worker="w1").tail
    head = log.head()
    assert head is not None
    assert (head.attempt, head.length, head.last, head.digest) == (1, 2, tail.id, tail.digest)
    assert (head.state, head.holder, head.prompt, head.queue) == ("running", "lease of w1", "clean the file", "default")
    assert (head.opened, head.changed, head.added) == (1234.5, 1234.5, 2)


def test_the_head_keeps_a_prompt_that_is_long_and_cannot_be_encoded(world: World) -> None:
    log = world.log()
    opened(log, prompt="\ud800" + "x" * 500)
    head = log.head()
    assert head is not None
    assert head.prompt == "?" + "x" * 199
    assert log.read()[0].body == SessionOpened("\ud800" + "x" * 500)


def test_what_is_appended_is_read_back_in_order_and_unchanged(world: World) -> None:
    log = world.log()
    writer = opened(log)
    texts = ["", "plain", "naïve ☃ \U0001f600", "\x00\n\r\t", "\udcff lone", "x" * 100_000]
    appended = [writer.append(ReplyDelta(text)) for text in texts]
    assert log.read()[2:] == appended
    assert [record.body for record in log.read()[2:]] == [ReplyDelta(text) for text in texts]
    assert [str(record.id) for record in appended] == [f"1-{n}" for n in range(1, 7)]
    assert writer.tail == log.tail()
    assert verify_log(log).ok


def test_reading_after_a_record_gives_only_what_follows_whatever_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlast.log.journal._PAGE", 2)
    log = world.log()
    writer = opened(log)
    for number in range(5):
        writer.append(delta(number))
    everything = log.read()
    assert len(everything) == 7
    for index, record in enumerate(everything):
        assert log.read(record.id) == everything[index + 1 :]


def test_a_fenced_attempt_appends_nothing(world: World) -> None:
    first, second = world.log(), world.log()
    old = opened(first, "w1")
    new = opened(second, "w2", "crash")
    before = second.read()
    for _ in range(2):
        with pytest.raises(Fenced, match="attempt 1 of session s is over"):
            old.append(delta(1))
    assert second.read() == before
    assert new.append(delta(2)).id == RecordId(2, 1)


def test_a_fenced_attempt_closes_nothing(world: World) -> None:
    old = opened(world.log(), "w1")
    log = world.log()
    opened(log, "w2", "crash")
    before, head = log.read(), log.head()
    with pytest.raises(Fenced):
        old.close(DRAINED, state="drained")
    assert (log.read(), log.head()) == (before, head)


@pytest.mark.parametrize("fault", ["lost", "refused"])
def test_an_append_is_in_the_log_once_though_its_reply_was_lost(world: World, fault: str) -> None:
    log = world.log()
    writer = opened(log)
    setattr(world.faults, fault, 2)
    record = writer.append(delta(1))
    assert log.read()[2:] == [record]
    writer.append(delta(2))
    assert verify_log(log).ok


@pytest.mark.parametrize("fault", ["lost", "refused"])
def test_an_opening_is_in_the_log_once_though_its_reply_was_lost(world: World, fault: str) -> None:
    log = world.log()
    expected = log.tail()
    setattr(world.faults, fault, 2)
    writer = log.open_attempt(AttemptOpened("w1", "first"), holder="l", expected=expected, session=SessionOpened("p"))
    assert [str(record.id) for record in log.read()] == ["0-1", "1-0"]
    writer.append(delta(1))
    assert verify_log(log).ok


@pytest.mark.parametrize("fault", ["lost", "refused"])
def test_a_closing_is_in_the_log_once_though_its_reply_was_lost(world: World, fault: str) -> None:
    log = world.log()
    writer = opened(log)
    setattr(world.faults, fault, 2)
    assert writer.close(*FINISHED, state="finished")
    assert [record.type for record in log.read()[2:]] == ["attempt.closed", "session.finished"]
    assert verify_log(log).ok


def test_a_closing_whose_reply_was_lost_stays_closed_though_a_message_comes(world: World) -> None:
    log = world.log(on_wait=lambda _: world.log().inbox.deliver("message", "job", {"text": "more"}))
    writer = opened(log)
    world.faults.lost = 1
    assert writer.close(*FINISHED, state="finished")
    assert len(log.read()) == 4


def test_an_append_that_landed_before_a_takeover_succeeds_and_the_next_is_fenced(world: World) -> None:
    log = world.log(on_wait=lambda _: opened(world.log(), "w2", "crash"))
    writer = opened(log, "w1")
    world.faults.lost = 1
    record = writer.append(delta(1))
    assert [str(r.id) for r in log.read()] == ["0-1", "1-0", "1-1", "2-0"]
    assert record in log.read()
    with pytest.raises(Fenced):
        writer.append(delta(2))
    assert verify_log(log).ok


def test_an_append_that_did_not_land_before_a_takeover_is_fenced(world: World) -> None:
    log = world.log(on_wait=lambda _: opened(world.log(), "w2", "crash"))
    writer = opened(log, "w1")
    world.faults.refused = 1
    with pytest.raises(Fenced):
        writer.append(delta(1))
    assert [str(record.id) for record in log.read()] == ["0-1", "1-0", "2-0"]
    assert verify_log(log).ok


def test_an_attempt_does_not_open_where_the_log_has_moved_on(world: World) -> None:
    log = world.log()
    old = opened(log, "w1")
    stale = log.tail()
    # A record of the dying attempt comes between the reading and the opening.
    old.append(delta(1))
    before, head = log.read(), log.head()
    with pytest.raises(Fenced, match="the log ends at 1-1, not at 1-0"):
        log.open_attempt(AttemptOpened("w2", "crash"), holder="l", expected=stale)
    assert (log.read(), log.head()) == (before, head)
    new = opened(log, "w2", "crash")
    new.append(delta(2))
    assert [str(record.id) for record in log.read()] == ["0-1", "1-0", "1-1", "2-0", "2-1"]
    assert verify_log(log).ok


def test_of_two_who_open_a_new_session_one_is_refused(world: World) -> None:
    log = world.log()
    empty = log.tail()
    opened(log, "w1")
    with pytest.raises(Fenced):
        log.open_attempt(AttemptOpened("w2", "first"), holder="l", expected=empty, session=SessionOpened("p"))
    assert len(log.read()) == 2


def test_a_session_is_opened_once_though_its_opening_is_given_again(world: World) -> None:
    log = world.log()
    opened(log, "w1", prompt="the first")
    opened(log, "w2", "crash", prompt="another")
    assert [record.type for record in log.read()] == ["session.opened", "attempt.opened", "attempt.opened"]
    head = log.head()
    assert head is not None
    assert head.prompt == "the first"
    assert world.sessions() == ["s"]


def test_an_empty_log_needs_the_opening_of_its_session(world: World) -> None:
    log = world.log()
    with pytest.raises(ValueError, match="empty"):
        log.open_attempt(AttemptOpened("w1", "first"), holder="l", expected=EMPTY)
    assert log.read() == []


def test_a_deleted_log_is_neither_appended_to_nor_opened_again(world: World) -> None:
    log = world.log()
    writer = opened(log)
    world.delete_log()
    with pytest.raises(LogDamaged, match="deleted"):
        writer.append(delta(1))
    with pytest.raises(LogDamaged):
        opened(log, "w2", "crash")
    assert log.read() == []
    assert not verify_log(log).ok


def test_a_log_whose_end_was_removed_is_not_opened_again(world: World) -> None:
    log = world.log()
    writer = opened(log)
    writer.append(delta(1))
    world.drop_last_record()
    with pytest.raises(LogDamaged, match="records"):
        opened(log, "w2", "crash")
    assert len(log.read()) == 2
    assert not verify_log(log).ok


def test_a_writer_stops_when_acknowledged_records_are_gone_after_an_outage(world: World) -> None:
    log = world.log(on_wait=lambda _: world.drop_last_record())
    writer = opened(log)
    writer.append(delta(1))
    world.faults.refused = 1
    with pytest.raises(LogDamaged, match="1-1 had been acknowledged"):
        writer.append(delta(2))
    assert len(log.read()) == 2


def test_a_writer_stops_when_acknowledged_records_are_gone_though_it_met_no_outage(world: World) -> None:
    log = world.log()
    writer = opened(log)
    writer.append(delta(1))
    writer.append(delta(2))
    world.drop_last_record()
    with pytest.raises(LogDamaged, match="ends at 1-1, but 1-2 had been acknowledged"):
        writer.append(delta(3))
    # It left nothing behind that would break the chain.
    assert [str(record.id) for record in log.read()] == ["0-1", "1-0", "1-1"]


def test_a_log_whose_end_was_forged_is_not_opened_again(world: World) -> None:
    log = world.log()
    opened(log).close(DRAINED, state="drained")
    world.forge_last_record(at="1.0")
    with pytest.raises(LogDamaged, match="1-1 is not the one that the head names"):
        opened(log, "w2", "crash")
    assert len(log.read()) == 3


def test_a_writer_stops_when_its_last_record_is_another_after_an_outage(world: World) -> None:
    log = world.log(on_wait=lambda _: world.forge_last_record(at="1.0"))
    writer = opened(log)
    world.faults.refused = 1
    with pytest.raises(LogDamaged):
        writer.append(delta(1))
    assert len(log.read()) == 2


@pytest.mark.parametrize("fields", [{"note": "a field of its own"}, {"v": "01"}, {"at": "1e0"}], ids=str)
def test_an_entry_that_says_more_than_its_digest_covers_is_named(world: World, fields: dict[str, str]) -> None:
    log = world.log()
    opened(log)
    world.forge_last_record(**fields)
    with pytest.raises(LogDamaged, match="1-0 is not stored as Outlast stores records"):
        log.read()


def test_an_entry_that_is_no_record_is_named(world: World) -> None:
    log = world.log()
    opened(log)
    world.spoil_last_record()
    with pytest.raises(LogDamaged, match="session s: 1-1 is not a record"):
        log.read()
    verdict = verify_log(log)
    assert not verdict.ok
    assert "1-1" in verdict.problems[0]


def test_a_closed_attempt_appends_nothing(world: World) -> None:
    log = world.log()
    writer = opened(log)
    assert writer.close(DRAINED, state="drained")
    with pytest.raises(Fenced, match="closed"):
        writer.append(delta(1))
    assert writer.close(DRAINED, state="drained")
    assert [str(record.id) for record in log.read()] == ["0-1", "1-0", "1-1"]
    head = log.head()
    assert head is not None
    assert (head.state, head.holder, head.length, head.last) == ("drained", "", 3, RecordId(1, 1))
    assert head.digest == log.read()[-1].digest == writer.tail.digest


def test_an_attempt_closes_with_a_record(world: World) -> None:
    with pytest.raises(ValueError, match="at least one"):
        opened(world.log()).close(state="drained")


@pytest.mark.parametrize("kind", ["message", "approval", "retry"])
def test_a_session_does_not_finish_while_there_is_something_to_act_on(world: World, kind: str) -> None:
    log = world.log()
    writer = opened(log, "w1")
    assert log.inbox.deliver(kind, "job-2", {"text": "more"}) == "lease of w1"
    assert not writer.close(*FINISHED, state="finished")
    assert len(log.read()) == 2
    writer.append(delta(1))
    log.inbox.remove(*(entry.id for entry in log.inbox.unread()))
    assert writer.close(*FINISHED, state="finished")
    assert log.inbox.deliver(kind, "job-3", {"text": "more"}) == ""
    assert verify_log(log).ok


@pytest.mark.parametrize("kind", ["cancel", "refused"])
def test_a_session_finishes_though_it_was_told_what_changes_nothing(world: World, kind: str) -> None:
    log = world.log()
    writer = opened(log)
    log.inbox.deliver(kind, "job-2", {})
    assert writer.close(*FINISHED, state="finished")


@pytest.mark.parametrize("state", ["drained", "waiting", "failed"])
def test_an_attempt_can_leave_an_unfinished_session_whatever_its_inbox_holds(world: World, state: str) -> None:
    log = world.log()
    writer = opened(log)
    log.inbox.deliver("message", "job-2", {"text": "more"})
    assert writer.close(AttemptClosed(state), state=state)
    assert [entry.source for entry in log.inbox.unread()] == ["job-2"]


def test_the_inbox_gives_back_what_was_delivered_until_it_is_removed(world: World) -> None:
    inbox = world.log().inbox
    assert inbox.deliver("message", "a", {"text": "naïve \ud800", "n": 1}) == ""
    inbox.deliver("cancel", "b", {})
    inbox.deliver("message", "c", {"text": "third"})
    first, second, third = inbox.unread()
    assert (first.kind, first.source, first.body) == ("message", "a", {"text": "naïve \ud800", "n": 1})
    assert [second.kind, third.source] == ["cancel", "c"]
    inbox.remove(first.id, third.id)
    inbox.remove()
    assert inbox.unread() == [second]


def test_a_delivery_is_left_once_though_its_reply_was_lost(world: World) -> None:
    inbox = world.log().inbox
    inbox.deliver("message", "a", {"text": "hello"})
    world.faults.lost = 1
    inbox.deliver("message", "b", {"text": "hello"})
    inbox.deliver("message", "a", {"text": "hello"})
    assert [entry.source for entry in inbox.unread()] == ["a", "b"]


def test_an_unknown_kind_is_not_delivered(world: World) -> None:
    inbox = world.log().inbox
    with pytest.raises(ValueError, match="gossip"):
        inbox.deliver("gossip", "a", {})
    assert inbox.unread() == []


def test_a_writer_that_gave_up_knows_later_what_became_of_its_record(world: World) -> None:
    impatient = False
    log = world.log(give_up=lambda: impatient)
    writer = opened(log)
    impatient = True
    for fault, landed in (("lost", 1), ("refused", 0)):
        length = len(log.read())
        setattr(world.faults, fault, 1)
        with pytest.raises(RedisAway, match="the line was cut"):
            writer.append(delta(1))
        record = writer.append(delta(2))
        assert len(log.read()) == length + landed + 1
        assert log.read()[-1] == record
    assert verify_log(log).ok


def test_a_writer_that_gave_up_on_its_closing_knows_later_that_it_is_closed(world: World) -> None:
    log = world.log(give_up=lambda: True)
    writer = opened(log)
    world.faults.lost = 1
    with pytest.raises(RedisAway):
        writer.close(DRAINED, state="drained")
    assert writer.close(DRAINED, state="drained")
    assert len(log.read()) == 3


def test_an_outage_is_told_once(world: World) -> None:
    told: list[str] = []
    log = world.log(on_wait=told.append)
    writer = opened(log)
    world.faults.refused = 3
    writer.append(delta(1))
    assert told == ["Redis is away (the line was cut); waiting for it."]
    world.faults.refused = 1
    writer.append(delta(2))
    assert len(told) == 2


def test_reading_waits_for_redis_too(world: World) -> None:
    log = world.log()
    opened(log)
    log.inbox.deliver("message", "a", {"text": "hello"})
    for question in (log.read, log.tail, log.head, log.inbox.unread, lambda: log.follow(None, 0)):
        world.faults.refused = 2
        assert question()  # type: ignore[operator]  # the methods have one thing in common: no argument is needed


def test_following_returns_a_record_as_soon_as_there_is_one(world: World) -> None:
    log = world.log()
    writer = opened(log)
    end = writer.tail.id
    assert [str(record.id) for record in log.follow(None, 60)] == ["0-1", "1-0"]
    assert log.follow(end, 0) == []
    thread = threading.Thread(target=lambda: writer.append(delta(1)))
    thread.start()
    assert [record.body for record in world.log().follow(end, 60)] == [delta(1)]
    thread.join()


def test_threads_of_one_writer_do_not_break_the_chain(world: World) -> None:
    log = world.log()
    writer = opened(log)
    threads = [threading.Thread(target=lambda: [writer.append(delta(n)) for n in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.read()) == 82
    assert verify_log(log).ok


def test_sessions_are_listed_newest_first_and_kept_apart(world: World) -> None:
    assert world.sessions() == []
    for number, name in enumerate(("a", "c", "b")):
        opened(world.log(name, clock=lambda number=number: 100.0 + number), prompt=name)
    opened(world.log("a"), "w2", "crash")
    assert world.sessions() == ["b", "c", "a"]
    assert [len(world.log(name).read()) for name in ("a", "b", "c")] == [3, 2, 2]


def test_the_head_of_a_closed_log_shows_that_its_last_record_was_changed(world: World) -> None:
    log = world.log()
    opened(log).close(DRAINED, state="drained")
    records = log.read()
    records[-1] = type(records[-1]).make(records[-1].id, 1.0, records[-1].prev, AttemptClosed("failed"))
    assert verify(records).ok
    assert verify(records, log.head()).problems == (
        "Record 1-1 is not record 1-1 as the head of the session names it.",
    )
