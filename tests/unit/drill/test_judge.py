"""The judge of a drill finds each kind of violation, and nothing in a job that only took longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlast.drill.conductor import Order, Result
from outlast.drill.judge import Fault, Outcome, Problem, Seen, blamed, counts, problems, went_on
from outlast.drill.report import clean, page, recovery, report
from outlast.log.records import (
    GENESIS,
    AttemptClosed,
    AttemptOpened,
    Body,
    Cell,
    CellFinished,
    CellInterrupted,
    CellReplayed,
    CellStarted,
    Record,
    RecordId,
    ReplyFinished,
    SessionFinished,
    SessionOpened,
)
from outlast.log.verify import verify

REPLY = ReplyFinished("One.\n```python\nx = 1\n```", Cell("python", 15, 21))
START, END = CellStarted(1, "python"), CellFinished(1, "ok", "1\n", checkpoint="c")
ANSWER = (ReplyFinished("Done."), SessionFinished(2, 1, 1.0), AttemptClosed("finished"))
FILES = {"files/out.csv": "aa", "artifacts/cell-1.txt": "bb"}


def log(*attempts: tuple[Body, ...]) -> list[Record]:
    """A record a second: the opening, then what each attempt appends after its own opening."""
    found: list[Record] = []

    def add(place: RecordId, body: Body) -> None:
        found.append(Record.make(place, float(len(found)), found[-1].digest if found else GENESIS, body))

    add(RecordId(0, 1), SessionOpened("sums"))
    for number, said in enumerate(attempts, 1):
        add(RecordId(number, 0), AttemptOpened("w", "first" if number == 1 else "crash"))
        for sequence, body in enumerate(said, 1):
            add(RecordId(number, sequence), body)
    return found


def seen(records: list[Record], late: float = 0.25) -> dict[RecordId, Seen]:
    """What a client saw that looked so long after each record was made."""
    return {record.id: Seen(record, record.at + late) for record in records}


def outcome(records: list[Record], ran: tuple[int, ...] = (1,)) -> Outcome:
    return Outcome("job-1", records, verify(records).problems, "finished", FILES, ran, seen(records))


USUAL = outcome(log((REPLY, START, END, *ANSWER)))
KILLED = outcome(
    log((REPLY, START), (CellInterrupted(1, "death", "it died"), CellReplayed(1), START, END, *ANSWER)), (1, 1)
)


def kinds(done: Outcome) -> set[str]:
    return {problem.kind for problem in problems(done, USUAL)}


@pytest.mark.parametrize("done", [USUAL, KILLED])
def test_a_job_that_did_all_it_should_is_in_order(done: Outcome) -> None:
    assert problems(done, USUAL) == []


def test_a_record_that_was_seen_and_is_gone_or_another_is_lost() -> None:
    other = Seen(Record.make(RecordId(1, 1), 9.0, GENESIS, START), 9.0)
    assert kinds(replace(KILLED, seen={**KILLED.seen, RecordId(1, 3): other})) == {"lost"}
    assert kinds(replace(KILLED, seen={**KILLED.seen, RecordId(1, 1): other})) == {"lost"}


def test_a_record_that_no_client_saw_but_a_worker_was_told_of_is_lost_if_it_is_gone() -> None:
    first = {record.id: 1.0 for record in KILLED.records}
    assert kinds(replace(KILLED, appended=first, seen={})) == set()
    (gone,) = problems(replace(KILLED, appended=first | {RecordId(1, 3): 2.0}), USUAL)
    assert gone.kind == "lost" and gone.at == 2.0 and "1-3 was acknowledged" in gone.said


def test_a_record_that_is_broken_is_not_said_to_be_gone() -> None:
    broken = replace(KILLED, appended={RecordId(1, 3): 2.0}, entries=[("1-3", {"no": "record"})])
    assert kinds(broken) == set()


def test_what_stands_in_the_log_twice_is_duplicated() -> None:
    again = outcome(log((REPLY, START, END, END, *ANSWER)))
    assert "duplicated" in kinds(again)
    assert "duplicated" in kinds(replace(USUAL, records=[*USUAL.records, USUAL.records[-1]]))


def test_a_completed_cell_that_ran_again_is_found() -> None:
    assert kinds(replace(USUAL, ran=(1, 1))) == {"rerun"}
    assert "rerun" in kinds(outcome(log((REPLY, START, END), (START, *ANSWER)), (1, 1)))


def test_another_conversation_or_other_files_are_different() -> None:
    said = CellFinished(1, "ok", "2\n", checkpoint="c")
    assert kinds(outcome(log((REPLY, START, said, *ANSWER)))) == {"different"}
    assert kinds(replace(USUAL, files={**FILES, "files/out.csv": "cc"})) == {"different"}
    assert kinds(replace(USUAL, files={**FILES, "files/more": "cc"})) == {"different"}
    assert kinds(replace(USUAL, files={"files/out.csv": "aa"})) == {"different"}


def test_a_job_that_did_not_finish_or_does_not_verify_has_failed() -> None:
    assert kinds(outcome(log((REPLY, START, END)))) == {"failed"}
    assert kinds(replace(USUAL, status="failed")) == {"failed"}
    assert "failed" in kinds(outcome([*USUAL.records[:3], *USUAL.records[4:]]))


def fault(victim: str, at: float, last: RecordId, number: int = 1) -> Fault:
    return Fault(number, victim, at, {"job-1": last})


def test_after_the_end_of_an_attempt_only_the_next_one_counts_as_going_on() -> None:
    # Records 0 to 3 are the opening, the attempt, the reply and the start; 7 is the second start.
    assert went_on(fault("worker", 2.5, RecordId(1, 1)), "job-1", KILLED.seen.values()) == 4.75
    assert went_on(fault("kernel", 2.5, RecordId(1, 1)), "job-1", KILLED.seen.values()) == 0.75


def test_a_record_that_waited_for_redis_counts_from_when_it_was_seen_and_not_from_when_it_was_made() -> None:
    saw = {record.id: Seen(record, 9.0 if record.id == RecordId(1, 2) else record.at) for record in KILLED.records}
    assert went_on(fault("redis", 2.5, RecordId(1, 1)), "job-1", saw.values()) == 6.5


def test_a_record_from_before_the_kill_shows_nothing_though_it_was_seen_after_it() -> None:
    assert went_on(fault("redis", 3.1, RecordId(1, 1)), "job-1", seen(USUAL.records).values()) == 4.25 - 3.1


def test_a_job_that_was_over_did_not_have_to_go_on() -> None:
    assert went_on(fault("worker", 99.0, RecordId(1, 5)), "job-1", USUAL.seen.values()) is None


def test_a_violation_is_counted_to_the_kill_that_it_came_of() -> None:
    faults = [fault("redis", 2.0, RecordId(1, 0), 1), fault("kernel", 5.0, RecordId(1, 0), 2)]
    assert blamed(Problem("lost", "job-1", "", 1.5), faults) == 1
    assert blamed(Problem("lost", "job-1", "", 3.0), faults) == 2
    assert blamed(Problem("rerun", "job-1", "", 3.0), faults) == 1
    assert blamed(Problem("rerun", "job-1", "", 9.0), faults) == 2
    assert blamed(Problem("rerun", "job-2", "", 9.0), faults) is None
    assert counts([Problem("rerun", "job-1", "", 9.0)])["rerun"] == 1


def test_a_kill_in_the_middle_of_a_recovery_makes_that_one_longer_and_is_none_of_its_own() -> None:
    faults = [fault("worker", 2.5, RecordId(1, 1)), fault("redis", 4.0, RecordId(1, 2), 2)]
    told = report(Result(Order(1, 2, 7), 0.0, 20.0, {"job-1": KILLED}, faults, []))
    assert [each["went_on"] for each in told["faults"]] == [4.75, None]
    assert clean(told) and told["recovery"]["all"]["count"] == 1 and "Seed 7" in page(told)


def test_the_distribution_leaves_out_kills_that_cost_nothing() -> None:
    faults = [{"victim": "redis", "went_on": each} for each in (0.4, None, 0.2, 0.3)]
    told = recovery(faults)
    assert told["redis"] == told["all"] == {"count": 3, "min": 0.2, "median": 0.3, "p90": 0.4, "p99": 0.4, "max": 0.4}
