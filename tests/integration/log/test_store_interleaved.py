"""Several workers, lost replies and refusals in any order: the log stays whole, and only the newest attempt writes."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from outlast.errors import Fenced
from outlast.log.records import AttemptClosed, AttemptOpened, Record, SessionFinished, SessionOpened
from outlast.log.store import Log, Tail, Writer
from outlast.log.verify import verify_log
from tests.integration.log.worlds import World, delta

_numbers = itertools.count(1)


class Interleaving(RuleBasedStateMachine):
    """Each writer is one process; `tails` are what some process once read, and may be long out of date."""

    world: World

    writers: Bundle[Writer] = Bundle("writers")
    tails: Bundle[Tail] = Bundle("tails")

    @initialize()
    def begin(self) -> None:
        self.session = f"session-{next(_numbers)}"
        self.log: Log = self.world.log(self.session)
        self.acknowledged: list[Record] = []
        self.newest: Writer | None = None
        self.closed: set[int] = set()

    @rule(target=tails)
    def read_the_tail(self) -> Tail:
        return self.log.tail()

    @rule(target=writers, tail=tails)
    def open(self, tail: Tail) -> Writer:
        before = self.log.tail()
        number = next(_numbers)
        try:
            writer = self.world.log(self.session).open_attempt(
                AttemptOpened(f"w{number}", "first"), holder=f"l{number}", expected=tail, session=SessionOpened("p")
            )
        except Fenced:
            assert tail != before
            # Hypothesis wants a value: the newest writer stands in, there is one since the log moved.
            assert self.newest is not None
            return self.newest
        assert tail == before
        self.acknowledged += self.log.read(before.id)
        self.newest = writer
        return writer

    @rule(writer=writers)
    def append(self, writer: Writer) -> None:
        allowed = writer is self.newest and writer.attempt not in self.closed
        try:
            self.acknowledged.append(writer.append(delta(next(_numbers))))
        except Fenced:
            assert not allowed
        else:
            assert allowed

    @rule(writer=writers, state=st.sampled_from(["finished", "drained"]))
    def close(self, writer: Writer, state: str) -> None:
        before, unread = self.log.tail(), self.log.inbox.unread()
        was_closed = writer.attempt in self.closed
        try:
            closed = writer.close(AttemptClosed(state), SessionFinished(1, 1, 0.0), state=state)
        except Fenced:
            assert writer is not self.newest
            return
        if was_closed or not closed:
            assert self.log.tail() == before
        if was_closed:
            assert closed
            return
        assert writer is self.newest
        assert closed == (not unread or state == "drained")
        if closed:
            self.closed.add(writer.attempt)
            self.acknowledged += self.log.read(before.id)

    @rule()
    def deliver(self) -> None:
        holder = self.log.inbox.deliver("message", f"job-{next(_numbers)}", {"text": "x"})
        held = self.newest is not None and self.newest.attempt not in self.closed
        assert bool(holder) == held

    @rule()
    def empty_the_inbox(self) -> None:
        self.log.inbox.remove(*(entry.id for entry in self.log.inbox.unread()))

    @rule(times=st.integers(1, 3))
    def lose_replies(self, times: int) -> None:
        self.world.faults.lost = times

    @rule(times=st.integers(1, 3))
    def refuse_commands(self, times: int) -> None:
        self.world.faults.refused = times

    @invariant()
    def the_log_is_whole_and_holds_what_was_acknowledged_and_nothing_else(self) -> None:
        armed = self.world.faults.lost, self.world.faults.refused
        self.world.faults.lost = self.world.faults.refused = 0
        records = self.log.read()
        assert records == self.acknowledged
        if records:
            assert verify_log(self.log).problems == ()
        self.world.faults.lost, self.world.faults.refused = armed

    def teardown(self) -> None:
        self.world.faults.lost = self.world.faults.refused = 0


def test_writers_that_interleave_leave_a_whole_log_and_only_the_newest_writes(world: World) -> None:
    here = world

    class Here(Interleaving):
        world = here

    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # hypothesis leaves this function untyped
        Here,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("fault", ["lost", "refused"])
def test_every_reply_of_a_session_may_be_lost_without_a_trace(world: World, fault: str) -> None:
    log = world.log()
    for attempt in range(3):
        setattr(world.faults, fault, 2)
        writer = log.open_attempt(
            AttemptOpened(f"w{attempt}", "first"), holder="l", expected=log.tail(), session=SessionOpened("p")
        )
        for number in range(5):
            setattr(world.faults, fault, 2)
            writer.append(delta(number))
        setattr(world.faults, fault, 2)
        assert writer.close(AttemptClosed("drained"), state="drained")
    assert len(log.read()) == 1 + 3 * 7
    assert verify_log(log).problems == ()
