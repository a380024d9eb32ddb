"""Cells that run too long, stall, or are told to stop."""

from __future__ import annotations

import time

import pytest

from outlast.errors import KernelDied, Stopped
from outlast.kernel import exchange
from tests.integration.kernel.conftest import NewSession, Session

FOREVER = "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(0.001)"


@pytest.mark.parametrize(
    ("code", "language", "timeout"),
    [
        (FOREVER, "python", 2.0),
        ("while true; do echo tick; done", "shell", 2.0),
        # Node takes a while to start.
        ("setInterval(() => console.log('tick'), 1)", "javascript", 5.0),
    ],
)
def test_a_cell_over_its_time_is_interrupted_and_the_next_has_only_its_own_output(
    shared: Session, code: str, language: str, timeout: float
) -> None:
    shared.run("kept = 7")
    result = shared.run(code, language, timeout=timeout)
    assert result.status == "timeout" and "tick" in result.output
    assert result.output.endswith("Do the work in smaller steps, or in a faster way.")
    assert len(result.output) <= shared.settings.output_chars
    for number in range(3):
        assert shared.run(f"print({number}, kept)").output == f"{number} 7\n"


def test_an_interrupt_reaches_the_children_of_a_cell(shared: Session) -> None:
    result = shared.run("import subprocess\nsubprocess.run('sleep 1000; echo no', shell=True)", timeout=2.0)
    assert result.status == "timeout" and "KeyboardInterrupt" in result.output


@pytest.mark.parametrize(("code", "language"), [("import time; time.sleep(1000)", "python"), ("sleep 1000", "shell")])
def test_a_cell_that_does_nothing_is_stopped_and_the_model_is_told_why(
    shared: Session, code: str, language: str
) -> None:
    result = shared.run(code, language, stall=2.0)
    assert result.status == "timeout"
    assert "for 2 s it printed nothing and used neither the processor nor the disk" in result.output


def test_a_cell_that_works_in_silence_has_not_stalled(shared: Session) -> None:
    code = "import time\nend = time.monotonic() + 5\nwhile time.monotonic() < end: pass\nprint('done')"
    assert shared.run(code, stall=4.0).output == "done\n"


def test_time_in_which_nobody_could_log_the_output_of_a_cell_counts_towards_no_limit(shared: Session) -> None:
    def as_if_redis_were_away(_: str) -> None:
        time.sleep(2.2)
        (shared.workspace.files / "back").touch()

    code = "print('one', flush=True)\nimport os, time\nwhile not os.path.exists('back'): time.sleep(0.01)\nprint('two')"
    result = shared.run(code, timeout=2.0, stall=2.0, on_output=as_if_redis_were_away)
    assert (result.status, result.output) == ("ok", "one\ntwo\n")


def test_nor_does_it_count_as_not_reacting_to_an_interrupt(shared: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_INTERRUPT_SECONDS", 2.0)

    def as_if_redis_were_away(_: str) -> None:
        time.sleep(2.2)
        (shared.workspace.files / "last").touch()

    code = (
        "import os, time\ntry: time.sleep(1000)\nexcept KeyboardInterrupt:\n"
        "    print('stopping', flush=True)\n    while not os.path.exists('last'): time.sleep(0.01)"
    )
    result = shared.run(code, timeout=2.0, on_output=as_if_redis_were_away)
    assert result.status == "timeout" and "stopping" in result.output


def test_what_is_said_of_a_cell_just_as_it_ends_stops_no_other(new_session: NewSession) -> None:
    session = new_session().ready()
    session.run("x = 1")
    guard = session.kernel._guard
    told, said = guard.events, [[{"event": "over", "reason": "its files take too much", "span": guard.span - 1}]]
    guard.events = lambda: [*(said.pop() if said else []), *told()]  # type: ignore[method-assign]  # a moment that no test can time
    result = session.run("import time\ntime.sleep(0.5)\nprint(x)")
    assert (result.status, result.output, said) == ("ok", "1\n", [])


def test_a_cell_that_ignores_the_interrupt_is_killed(new_session: NewSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_INTERRUPT_SECONDS", 0.5)
    session = new_session().ready()
    code = "import time\nwhile True:\n    try: time.sleep(1000)\n    except KeyboardInterrupt: print('no', flush=True)"
    with pytest.raises(KernelDied, match=r"limit of 2 s.* its kernel was killed"):
        session.run(code, timeout=2.0)


def test_a_cancel_stops_at_once(new_session: NewSession) -> None:
    session = new_session(drain_grace=1000.0).ready()
    with pytest.raises(Stopped, match="cancel"):
        session.run(
            "print(1, flush=True)\nimport time; time.sleep(1000)", on_output=lambda _: session.stop.set("cancel")
        )


def test_a_drain_lets_a_cell_that_is_nearly_done_end(new_session: NewSession) -> None:
    session = new_session(drain_grace=1000.0).ready()
    go = session.workspace.files / "go"

    def drain(_: str) -> None:
        session.stop.set("drain")
        go.touch()

    code = "import os, time\nprint('one', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('two')"
    assert session.run(code, on_output=drain).output == "one\ntwo\n"


def test_a_drain_does_not_wait_longer_than_its_grace(new_session: NewSession) -> None:
    session = new_session(drain_grace=0.3).ready()
    with pytest.raises(Stopped, match="drain"):
        session.run(
            "print(1, flush=True)\nimport time; time.sleep(1000)", on_output=lambda _: session.stop.set("drain")
        )


def test_a_stop_while_the_kernel_starts_is_heeded(new_session: NewSession) -> None:
    session = new_session()
    session.stop.set("drain")
    with pytest.raises(Stopped):
        session.ready()
