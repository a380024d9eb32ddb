"""Whole sessions without a kill: the stock `rq` command, real workers, real kernels, a scripted model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import Fleet
from tests.integration.sessions import GATE, cell, files, let_go, outputs, ran, script, types
from tests.observer import PATIENCE

Start = Callable[..., Fleet]


@pytest.fixture
def start(tmp_path: Path, kernel_python: Path) -> Iterator[Start]:
    """Starts a fleet that ends with the test."""
    with ExitStack() as stack:
        yield lambda replies, **options: stack.enter_context(
            Fleet(tmp_path, replies, kernel_python, warm_workers=True, **options)
        )


def test_a_job_with_no_flag_runs_to_its_end_and_returns_the_answer(start: Start) -> None:
    fleet = start(script(cell(1, "x = 6 * 7"), cell(2, "print(x)")), workers=1)
    done = fleet.rq("enqueue", "outlast.run", "say what six times seven is")
    assert done.returncode == 0, done.stderr
    session = done.stdout.rpartition("job-id '")[2].partition("'")[0]
    state = fleet.finished(session)
    assert state.closed is not None and state.closed.how == "finished"
    assert outputs(fleet.log(session).read()) == ["", "42"]
    assert state.answer == "All done."
    assert fleet.verify(session).ok
    assert fleet.job_status(session, "finished") == "finished"


def test_shell_and_javascript_cells_run_in_the_workspace(start: Start) -> None:
    replies = script(
        cell(1, "open('n.txt', 'w').write('5')"),
        cell(2, "echo shell $(cat n.txt)", "bash"),
        cell(3, "console.log('node', 2 + 3)", "javascript"),
        cell(4, "1", "cobol"),
    )
    fleet = start(replies, workers=1)
    fleet.enqueue("langs")
    fleet.finished("langs")
    said = outputs(fleet.log("langs").read())
    assert said[1:3] == ["shell 5", "node 5"]
    assert "cobol" in said[3] and "python" in said[3]


def test_the_model_gets_each_output_before_it_is_asked_again(start: Start) -> None:
    fleet = start(script(cell(1, "print('one')"), cell(2, "1/0")), workers=1)
    fleet.enqueue("wire", "go")
    fleet.finished("wire")
    wires = [request["messages"] for request in fleet.model.requests]
    assert [len(wire) for wire in wires] == [2, 4, 6]
    assert wires[1] == wires[2][:4]
    assert "one" in wires[1][-1]["content"]
    assert "ZeroDivisionError" in wires[2][-1]["content"]
    assert wires[2] == fleet.state("wire").wire()[:6]


def test_a_chat_goes_on_with_a_finished_session_and_its_variables(start: Start) -> None:
    fleet = start([cell(1, "x = 41"), "The first answer.", cell(2, "print(x + 1)"), "It is 42."], workers=1)
    fleet.enqueue("talk")
    fleet.finished("talk")
    assert fleet.rq("enqueue", "--job-id", "talk-2", "outlast.chat", "talk", "and one more?").returncode == 0
    state, _ = fleet.wait("talk", lambda state, _: state.attempt == 2 and state.closed is not None)
    assert state.answer == "It is 42."
    assert outputs(fleet.log("talk").read()) == ["", "42"]
    assert fleet.job_status("talk-2", "finished") == "finished"


def test_a_chat_to_a_running_session_is_read_at_its_next_turn_and_fences_nothing(start: Start) -> None:
    fleet = start(script(cell(1, GATE), cell(2)), workers=2)
    fleet.enqueue("busy")
    fleet.wait("busy", lambda _, record: record.type == "cell.started")
    assert fleet.rq("enqueue", "--job-id", "busy-2", "outlast.chat", "busy", "hurry up").returncode == 0
    fleet.job_status("busy-2", "started", "finished")
    let_go(fleet, "busy")
    state = fleet.finished("busy")
    assert state.attempt == 1
    order = [kind for kind in types(fleet.log("busy").read()) if kind in ("cell.finished", "user.message")]
    assert order == ["cell.finished", "user.message", "cell.finished"]
    assert fleet.job_status("busy-2", "finished") == "finished"


def test_enqueueing_the_same_request_twice_runs_it_once(start: Start) -> None:
    fleet = start(script(cell(1, GATE)), workers=2)
    fleet.enqueue("twice", "do it")
    fleet.wait("twice", lambda _, record: record.type == "cell.started")
    fleet.enqueue("twice", "do it")
    let_go(fleet, "twice")
    fleet.finished("twice")
    assert fleet.job_status("twice", "finished") == "finished"
    fleet.enqueue("twice", "do it")
    assert fleet.job_status("twice", "finished") == "finished"
    assert ran(fleet, "twice") == ["1"]
    assert fleet.state("twice").attempt == 1


@pytest.mark.parametrize("when", ["running", "finished", "expired"])
def test_another_prompt_under_the_same_id_disturbs_nothing(start: Start, when: str) -> None:
    fleet = start(script(cell(1, GATE)), workers=2)
    fleet.enqueue("taken", "the first prompt")
    fleet.wait("taken", lambda _, record: record.type == "cell.started")
    if when != "running":
        let_go(fleet, "taken")
        fleet.job_status("taken", "finished")
    if when == "expired":
        fleet.connection.delete("rq:job:taken")
    fleet.enqueue("taken", "quite another prompt")
    let_go(fleet, "taken")
    state = fleet.finished("taken")
    assert fleet.job_status("taken", "finished") == "finished"
    assert state.opened is not None and state.opened.prompt == "the first prompt"
    assert ran(fleet, "taken") == ["1"]
    until = time.monotonic() + PATIENCE
    while not any("outlast.chat" in path.read_text() for path in fleet.directory.glob("worker-*.log")):
        assert time.monotonic() < until, "no worker has said what to do instead"
        time.sleep(0.02)


def test_a_second_request_before_any_worker_took_the_first_replaces_it(start: Start) -> None:
    fleet = start(script(cell(1)), workers=0)
    fleet.enqueue("early", "the first prompt")
    fleet.enqueue("early", "the second prompt")
    fleet.start_worker("worker-1")
    state = fleet.finished("early")
    assert fleet.job_status("early", "finished") == "finished"
    assert state.opened is not None and state.opened.prompt == "the second prompt"
    assert ran(fleet, "early") == ["1"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["outlast.run", "prompt="], "prompt"),
        (["outlast.run", "prompt=go", "colour=red"], "colour"),
        (["outlast.run", "prompt=go", 'files:=["absent.csv"]'], "absent.csv"),
        (["outlast.run", "prompt=go", 'files:=["../../etc/passwd"]'], "passwd"),
        (["outlast.run", "prompt=go", "auto_run:=false"], "approv"),
        (["outlast.chat", "nobody", "hello"], "nobody"),
    ],
)
def test_a_request_that_cannot_succeed_fails_at_once_with_one_sentence(
    start: Start, arguments: list[str], part: str
) -> None:
    fleet = start(script(), workers=1)
    assert fleet.rq("enqueue", "--job-id", "wrong", *arguments).returncode == 0
    assert fleet.job_status("wrong", "failed") == "failed"
    reasons = fleet.connection.xrange("rq:results:wrong")
    reason = _failure(reasons[-1][1])
    assert part in reason
    assert "Traceback" not in reason and len(reason.splitlines()) == 1
    assert fleet.model.requests == []


def _failure(fields: dict[bytes, bytes]) -> str:
    import base64
    import zlib

    return zlib.decompress(base64.b64decode(fields[b"exc_string"])).decode().strip()


def test_a_prompt_with_an_equals_sign_arrives_whole(start: Start) -> None:
    fleet = start(script(), workers=1)
    assert fleet.rq("enqueue", "--job-id", "eq", "outlast.run", "keep rows where year>=2020").returncode == 0
    state = fleet.finished("eq")
    assert state.opened is not None and state.opened.prompt == "keep rows where year>=2020"


def test_input_files_are_in_the_working_directory_of_the_cells(start: Start) -> None:
    fleet = start(script(cell(1, "print(open('in.csv').read())")), workers=1)
    (fleet.data / "in.csv").write_text("a,b")
    fleet.enqueue("files", "go", 'files:=["in.csv"]')
    fleet.finished("files")
    assert outputs(fleet.log("files").read()) == ["a,b"]
    assert (files(fleet, "files") / "in.csv").is_symlink()


def test_a_model_that_never_stops_is_stopped_and_can_be_continued(start: Start) -> None:
    replies = [cell(1), cell(2), cell(3), "Enough."]
    fleet = start(replies, workers=1, environment={"OUTLAST_MAX_TURNS": "2"})
    fleet.enqueue("endless")
    state = fleet.finished("endless")
    assert state.closed is not None and state.closed.how == "failed"
    assert "OUTLAST_MAX_TURNS" in state.closed.reason
    assert fleet.job_status("endless", "failed") == "failed"
    fleet.rq("enqueue", "outlast.chat", "endless", "go on")
    state, _ = fleet.wait("endless", lambda state, _: state.attempt == 2 and state.closed is not None)
    assert state.closed is not None and state.closed.how == "finished"
    assert ran(fleet, "endless") == ["1", "2", "3"]


def test_running_time_is_bounded_by_the_timeout_that_was_asked_for(start: Start) -> None:
    fleet = start(script(cell(1, "import time\ntime.sleep(600)")), workers=1)
    assert fleet.rq("enqueue", "--job-id", "slow", "--timeout", "2", "outlast.run", "prompt=go").returncode == 0
    state = fleet.finished("slow")
    assert state.closed is not None and "2 seconds of running time" in state.closed.reason
    assert fleet.job_status("slow", "failed") == "failed"


def test_a_session_that_used_up_its_time_goes_on_by_a_message(start: Start) -> None:
    fleet = start([cell(1, "import time\ntime.sleep(1)"), "Done.", "More."], workers=1)
    fleet.rq("enqueue", "--job-id", "more", "--timeout", "1", "outlast.run", "prompt=go")
    fleet.finished("more")
    fleet.rq("enqueue", "outlast.chat", "more", "go on", "max_seconds:=60")
    state, _ = fleet.wait("more", lambda state, _: state.attempt == 2 and state.closed is not None)
    assert state.closed is not None and state.closed.how == "finished", state.closed


@pytest.mark.timeout(600)
def test_a_conversation_of_two_hundred_turns_stays_in_a_small_window(start: Start) -> None:
    def play(messages: list[dict[str, Any]]) -> str:
        # Old turns are left out of the requests, so their number says nothing: the last output does.
        done = re.findall(r"done (\d+)", messages[-1]["content"])
        number = int(done[-1]) + 1 if done else 1
        return cell(number, f"print('z' * 400, 'done {number}')") if number <= 200 else "All done."

    fleet = start(play, workers=1, environment={"OUTLAST_MAX_TURNS": "500"})
    fleet.model.control(context_window=4096)
    fleet.enqueue("long", "go", "context_window:=4096", "max_tokens:=500")
    state = fleet.finished("long", patience=400)
    assert state.closed is not None and state.closed.how == "finished", state.closed
    assert ran(fleet, "long") == [str(number) for number in range(1, 201)]
    shortened = [record for record in fleet.log("long").read() if record.type == "context.shortened"]
    assert 3 <= len(shortened) <= 60
    assert not [arrival for arrival in fleet.model.arrivals if arrival.end == "refused"]
