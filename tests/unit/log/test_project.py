"""`project`: what a log says, on every prefix of it."""

from __future__ import annotations

import pytest

from outlast.log import records as r
from outlast.log.project import At, Projection, project
from tests.unit.log.story import (
    EMPTY_OUTPUT,
    EVENTFUL,
    SYSTEM,
    UNHURRIED,
    again,
    build,
    cell,
    opened,
    pending,
    reply,
)

FIRST = [opened(), r.AttemptOpened("w", "first")]


def prefixes(log: list[r.Record]) -> list[list[r.Record]]:
    return [log[:end] for end in range(len(log) + 1)]


@pytest.mark.parametrize("story", [EVENTFUL, UNHURRIED], ids=["eventful", "unhurried"])
def test_folding_one_record_at_a_time_is_the_same_as_projecting_each_prefix(story: list[r.Record]) -> None:
    folded = Projection()
    for prefix in prefixes(story):
        if prefix:
            folded.add(prefix[-1])
        assert folded == project(prefix)


@pytest.mark.parametrize(("story", "messages"), [(EVENTFUL, 14), (UNHURRIED, 20)], ids=["eventful", "unhurried"])
def test_the_wire_messages_of_every_prefix_are_a_prefix_of_the_next(story: list[r.Record], messages: int) -> None:
    before: list[dict[str, str]] = []
    for prefix in prefixes(story):
        wire = project(prefix).wire()
        assert wire[: len(before)] == before
        before = wire
    assert len(before) == messages


def test_an_interrupted_session_sends_the_prefix_that_an_uninterrupted_one_sends() -> None:
    calm = build([opened(), r.AttemptOpened("w", "first"), reply("a = 1"), *cell(1, "1"), reply("b = a + 1")])
    stormy = [record for record in EVENTFUL if record.id < r.RecordId(2, 3)]
    assert project(stormy).wire() == project(calm).wire()


def test_the_wire_form_is_the_raw_text_and_the_templates_of_the_opening() -> None:
    log = build([opened("go"), r.AttemptOpened("w", "first"), reply(" x = 1 ", "  \n hm"), *cell(1, "")])
    assert project(log).wire() == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "  \n hm\n```python\n x = 1 \n```"},
        {"role": "user", "content": EMPTY_OUTPUT},
    ]


def test_open_interpreter_gets_prose_code_and_output_as_messages_of_their_own() -> None:
    log = build([opened("go"), r.AttemptOpened("w", "first"), reply("x = 1"), *cell(1, "one")])
    assert project(log).messages() == [
        {"role": "user", "type": "message", "content": "go"},
        {"role": "assistant", "type": "message", "content": "Let me see.\n"},
        {"role": "assistant", "type": "code", "format": "python", "content": "x = 1\n"},
        {"role": "computer", "type": "console", "format": "output", "content": "one"},
    ]


def test_a_code_block_that_opens_the_reply_has_no_empty_message_before_it() -> None:
    text = "```python\nx\n```"
    log = build([opened("go"), r.AttemptOpened("w", "first"), r.ReplyFinished(text, r.Cell("python", 10, 12))])
    assert [message["type"] for message in project(log).messages()] == ["message", "code"]


def test_the_frontier_of_each_prefix_is_where_the_log_ends() -> None:
    log = build(
        [
            opened(),
            r.AttemptOpened("w", "first"),
            r.ReplyDelta("Let me"),
            reply("x", tail=" see.\n```python\nx\n```"),
            r.CellStarted(1, "python"),
            r.CellFinished(1, "ok", "1"),
            r.StateSaved(1, "sum"),
            reply(None),
        ]
    )
    assert [project(prefix).at for prefix in prefixes(log)] == [
        At.EMPTY, At.TURN, At.TURN, At.PARTIAL, At.CELL, At.RUNNING, At.TURN, At.TURN, At.ANSWERED,
    ]  # fmt: skip


def test_a_reply_cut_at_its_limit_is_not_an_answer() -> None:
    log = build([opened(), r.AttemptOpened("w", "first"), r.ReplyFinished("Let me", None, "length")])
    assert project(log).at is At.TURN


def test_waits_do_not_count_as_running_time() -> None:
    log = build([opened(), r.AttemptOpened("w", "first"), r.TurnWaiting("away"), r.TurnWaiting("away", 1.5)])
    assert project(log).seconds == 0.5


def test_time_between_two_attempts_does_not_count() -> None:
    log = build(
        [opened(), r.AttemptOpened("w", "first"), r.AttemptClosed("drained")],
        [r.AttemptOpened("w", "drain"), reply(None)],
    )
    assert project(log).seconds == 2.0


def test_the_time_in_which_nobody_was_there_after_a_death_does_not_count() -> None:
    log = build([opened(), r.AttemptOpened("w", "first"), reply("a = 1")], [r.AttemptOpened("w", "crash"), *cell(1)])
    assert project(log).seconds == 3.0


def test_the_limit_of_time_counts_from_where_a_session_that_was_over_was_asked_to_go_on() -> None:
    log = build(
        [opened(), r.AttemptOpened("w", "first"), r.AttemptClosed("failed")],
        [r.AttemptOpened("w", "message"), reply("a = 1")],
        [r.AttemptOpened("w", "crash"), *cell(1)],
    )
    state = project(log)
    assert (state.seconds, state.seconds_before) == (4.0, 1.0)


def test_the_last_three_checkpoints_are_known_with_the_cells_that_each_of_them_covers() -> None:
    variables = project(EVENTFUL).variables
    assert [(kept.cell, kept.digest, kept.cells) for kept in variables.checkpoints] == [
        (2, "sum2", (2,)),
        (3, "sum2", ()),
        (4, "sum4", (4,)),
    ]
    variables = project(UNHURRIED).variables
    assert [kept.cell for kept in variables.checkpoints] == [4, 5, 6]
    early = project([record for record in UNHURRIED if record.id < r.RecordId(3, 7)]).variables
    assert [(kept.digest, kept.cells, kept.missing) for kept in early.checkpoints] == [
        ("sum1", (1,), {"f": "open file"}),
        ("sum3", (2, 3), {}),
    ]


def test_cells_without_a_checkpoint_are_named_until_a_later_one_holds_their_variables() -> None:
    lost = r.CellFinished(2, "ok", "2", state_error="no space left on the disk")
    bodies = [*FIRST, reply("a"), *cell(1), reply("b"), r.CellStarted(2, "python"), lost]
    state = project(build(bodies))
    assert (state.variables.unsaved, state.at) == ({2: "no space left on the disk"}, At.TURN)
    assert project(build([*bodies, reply("c"), *cell(3)])).variables.unsaved == {}
    late = r.StateSaved(3, "", error="it took too long")
    state = project(build([*bodies, reply("c"), *pending(3), late]))
    assert state.variables.unsaved == {2: "no space left on the disk", 3: "it took too long"}
    assert state.variables.pending is None
    assert [kept.cell for kept in state.variables.checkpoints] == [1]


def test_the_conversation_goes_on_while_a_state_is_pending() -> None:
    goes_on = [r.ReplyDelta("Let"), reply("b", tail=" me"), r.StateSaved(1, "s")]
    log = build([*FIRST, reply("a"), *pending(1, "1"), *goes_on])
    seen = [(project(prefix).at, project(prefix).variables.pending is not None) for prefix in prefixes(log)[4:]]
    assert seen == [
        (At.RUNNING, False), (At.TURN, True), (At.PARTIAL, True), (At.CELL, True), (At.CELL, False),
    ]  # fmt: skip


def test_a_save_is_under_way_until_the_log_says_that_it_was_cut_off_or_that_its_attempt_is_over() -> None:
    bodies = [*FIRST, reply("a"), *pending(1, "1"), r.ReplyDelta("Let")]

    def saving(*attempts: list[r.Body]) -> bool:
        state = project(build(*attempts)).variables.pending
        assert state is not None
        return state.saving

    assert saving(bodies)
    assert not saving([*bodies, r.CellInterrupted(1, "strike", "it was killed by SIGSEGV")])
    assert not saving([*bodies, r.AttemptClosed("drained")])
    assert not saving(bodies, [r.AttemptOpened("w", "crash")])
    assert not saving(bodies, [r.AttemptOpened("w", "crash"), *again(1)])


@pytest.mark.parametrize(
    ("goes_on", "at"),
    [
        ([], At.TURN),
        ([r.ReplyDelta("Let me")], At.PARTIAL),
        ([reply("b")], At.CELL),
        ([reply(None)], At.ANSWERED),
    ],
)
def test_a_cell_that_runs_again_for_its_state_leaves_the_conversation_where_it_is(
    goes_on: list[r.Body], at: At
) -> None:
    first = [*FIRST, reply("a"), *pending(1, "1"), *goes_on]
    second: list[r.Body] = [r.AttemptOpened("w", "crash"), r.CellInterrupted(1, "death", "died"), *again(1)]
    before = project(build(first))
    log = build(first, [*second, r.StateSaved(1, "s", output="other")])
    for prefix in prefixes(log)[len(first) :]:
        state = project(prefix)
        assert (state.at, state.said, state.partial, state.cell) == (at, before.said, before.partial, before.cell)
    assert state.variables.untold_outputs == {1: "other"}


def test_interruptions_of_a_pending_cell_are_not_those_of_the_next() -> None:
    struck = r.CellInterrupted(1, "strike", "it was killed by SIGSEGV")
    state = project(build([*FIRST, reply("a"), *pending(1), reply("b"), struck]))
    assert state.interruptions.strikes == 0 and not state.interrupted
    assert state.variables.pending is not None and state.variables.pending.interruptions.strikes == 1
    assert state.strikes == 1


def test_what_was_told_is_not_to_be_told_again_and_what_was_not_told_survives_an_attempt() -> None:
    missing = r.StateRestored(1, "sum1", ("a",), {"f": "open file", "g": "socket"})
    log = [*FIRST, reply("a"), *cell(1), r.ReplyDelta("Let")]
    third: list[r.Body] = [r.AttemptOpened("w", "crash"), r.StateRestored(1, "sum1", ("a", "g"), {"f": "open file"})]
    state = project(build(log, [r.AttemptOpened("w", "crash"), missing], third))
    assert state.variables.untold_missing == {"f": "open file"}
    told = project(build(log, [r.AttemptOpened("w", "crash"), missing, r.NoteAdded("cut off at the limit")]))
    assert told.variables.untold_missing == missing.missing
    told = project(build(log, [r.AttemptOpened("w", "crash"), missing, r.NoteAdded("f, g", "missing")]))
    assert told.variables.untold_missing == {}


def test_a_cell_that_ran_as_something_else_than_its_text_runs_again_as_that() -> None:
    started = r.CellStarted(1, "shell", code="ls")
    wrapped = [*FIRST, reply("execute('ls')"), started, r.CellFinished(1, "ok", "")]
    assert project(build(wrapped)).pending_code == ("shell", "ls")
    assert project(build([*FIRST, reply("a = 1"), *pending(1), reply("b = 2")])).pending_code == ("python", "a = 1\n")


def test_a_log_of_before_saves_could_fail_late_still_reads() -> None:
    old = r.decode_body("state.saved", 1, '{"cell":1,"checkpoint":"sum1","missing":{}}')
    assert old == r.StateSaved(1, "sum1") and old.error == "" and old.output is None
    assert r.decode_body("note.added", 1, '{"text":"f is missing"}') == r.NoteAdded("f is missing")


def test_shortening_cuts_old_outputs_and_drops_old_turns_but_keeps_what_the_user_said() -> None:
    bodies: list[r.Body] = [opened("go"), r.AttemptOpened("w", "first")]
    for number in range(1, 6):
        bodies += [reply(f"step({number})"), *cell(number, "z" * 1_000)]
    bodies.insert(5, r.UserMessage("and mind the blanks", "job-2"))
    full = project(build(bodies)).wire()
    short = project(build([*bodies, r.ContextShortened(outputs_through=4, output_chars=100, dropped_turns=2)])).wire()
    texts = [message["content"] for message in short]
    assert texts[:2] == [SYSTEM, "go"]
    assert "first 2 turns" in texts[2]
    assert texts[3] == "and mind the blanks"
    assert not any("step(2)" in text for text in texts)
    assert [len(text) < 300 for text in texts if text.startswith("Code output")] == [True, True, False]
    assert short[-2:] == full[-2:]
