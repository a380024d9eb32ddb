"""`project`: what a log says, on every prefix of it."""

from __future__ import annotations

from outlast.log import records as r
from outlast.log.project import At, Projection, project
from tests.unit.log.story import EMPTY_OUTPUT, EVENTFUL, SYSTEM, build, cell, opened, reply


def prefixes(log: list[r.Record]) -> list[list[r.Record]]:
    return [log[:end] for end in range(len(log) + 1)]


def test_folding_one_record_at_a_time_is_the_same_as_projecting_each_prefix() -> None:
    folded = Projection()
    for prefix in prefixes(EVENTFUL):
        if prefix:
            folded.add(prefix[-1])
        assert folded == project(prefix)


def test_the_wire_messages_of_every_prefix_are_a_prefix_of_the_next() -> None:
    before: list[dict[str, str]] = []
    for prefix in prefixes(EVENTFUL):
        wire = project(prefix).wire()
        assert wire[: len(before)] == before
        before = wire
    assert len(before) == 14


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
        At.EMPTY, At.TURN, At.TURN, At.PARTIAL, At.CELL, At.RUNNING, At.PENDING, At.TURN, At.ANSWERED,
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


def test_the_checkpoint_in_force_is_that_of_the_last_durable_cell() -> None:
    state = project(EVENTFUL)
    assert (state.checkpoint, state.checkpoint_cell) == ("sum4", 4)
    unsaved = [*cell(2, "2")[:1], r.CellFinished(2, "ok", "2", state_error="no space left on the disk")]
    state = project(build([opened(), r.AttemptOpened("w", "first"), reply("a"), *cell(1), reply("b"), *unsaved]))
    assert (state.checkpoint, state.unsaved, state.at) == ("sum1", {2: "no space left on the disk"}, At.TURN)


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
