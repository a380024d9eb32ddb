"""What one shell cell leaves for the next, with a real bash for each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.kernel.inside import shell_state
from outlast.kernel.inside.programs import run_shell
from outlast.kernel.inside.shell_state import ShellState

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the first cell, and TMPDIR beside it."""
    for name in ("start", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / "start"


@pytest.fixture
def state(place: Path) -> ShellState:
    return ShellState(str(place))


@pytest.fixture
def run(state: ShellState, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a cell; its output, with the notes after it. The status must be as given."""

    def run(code: str, *, status: int = 0, state: ShellState = state) -> str:
        ended = run_shell(code, state)
        output = capsys.readouterr().out + "\n".join(state.notes)
        assert ended == status, output
        return output

    return run


def test_the_working_directory_stays(run: Run, place: Path) -> None:
    (place / "a b").mkdir()
    run("cd 'a b'")
    assert run("pwd; cd - >/dev/null; pwd") == f"{place}/a b\n{place}\n"
    assert run("pwd") == f"{place}\n"


def test_a_directory_that_is_gone_is_named_and_the_first_one_is_taken(run: Run, place: Path) -> None:
    run("mkdir d; cd d; rmdir ../d")
    assert run("pwd") == f"{place}\n[the directory {place}/d is gone; this cell ran in {place}]"
    assert run("pwd") == f"{place}\n"


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "two\nlines\n",
        'it\'s "$HOME" `id` \\ !x',
        "naïve ✓ \u202e",
        " lead and trail ",
        "",
        "\x01\x1b[0m",
        "a=b;c|d&",
    ],
)
def test_a_value_survives_exactly(run: Run, value: str) -> None:
    quoted = "'" + value.replace("'", "'\\''") + "'"
    run(f"x={quoted}; export y=$x")
    for _ in range(2):
        assert run('printf "%s|" "$x"; printenv y') == f"{value}|{value}\n"


def test_a_value_that_looks_like_a_list_is_not_taken_for_one(run: Run) -> None:
    value = 'declare -- z="1"\ndeclare -x q[$(touch ran)]=1\n} \ndeclare -f f\n'
    run(f"x='{value}'; y=2; declare -a a=('{value}')")
    assert run('printf %s "$x" "${a[0]}"; echo $y; ls') == f"{value}{value}2\n"


def test_bytes_that_are_no_text_survive(run: Run) -> None:
    run(r"x=$'\xff\xfe\x80'")
    assert run('printf %s "$x" | od -An -tx1') == " ff fe 80\n"


def test_arrays_attributes_and_references_stay(run: Run) -> None:
    run(
        "a=(1 'two words' 3); unset 'a[0]'; declare -A m=([k v]=x); declare -A empty; declare -i n=4; declare -u up=a;"
        "readonly r=5; declare -ra ra=(1 2); declare -n ref=target; target=t; hidden=h; export shown=s; export -n shown"
    )
    assert run(
        'echo "${!a[@]}:${a[1]}" "${m[k v]}" "$r ${ra[1]} $ref"; empty[key]=1; echo "${!empty[@]}"; n=n+1; up=b;'
        'ref=changed; echo "$n $up $target"; env | grep -c -e hidden -e shown; (r=6) 2>/dev/null || echo readonly'
    ) == ("1 2:two words x 5 2 t\nkey\n5 B changed\n0\nreadonly\n")


def test_a_readonly_variable_stays_through_many_cells(run: Run) -> None:
    run("readonly r=5")
    assert [run("echo $r; x$r=$r", status=127).splitlines()[0] for _ in range(3)] == ["5"] * 3


def test_functions_stay_as_they_were_written(run: Run) -> None:
    run(
        'f() { cat <<END\nit\'s $1\nEND\n}; g() { local x=$1; f "$x"; }; export -f f\n'
        "shopt -s extglob\nh() { case $1 in +(a|b)) echo match;; *) echo none;; esac; }"
    )
    assert run("g here; bash -c 'f child'; h abba; h c") == "it's here\nit's child\nmatch\nnone\n"
    run("unset -f g")
    assert "g: command not found" in run("f still; g", status=127)


def test_an_error_within_a_function_names_the_same_source_in_the_next_cell(run: Run) -> None:
    first = run("f() {\n  nowhere\n}\nf", status=127)
    assert run("f", status=127) == first
    assert "shell-" not in first


def test_aliases_hold_from_the_next_line_and_the_next_cell_on(run: Run) -> None:
    assert run("alias greet='echo \"it'\\''s\"'\ngreet me") == "it's me\n"
    assert run("greet you; unalias greet") == "it's you\n"
    assert "command not found" in run("greet", status=127)


def test_a_function_is_not_changed_by_an_alias_of_the_state(run: Run) -> None:
    run("f() { ls; }\nalias ls='ls -d'; touch file")
    assert run("f") == run("f") == "file\n"
    assert run("ls") == ".\n"


def test_options_stay(run: Run) -> None:
    run("set -u; set -o pipefail; shopt -s nullglob; umask 027")
    assert run("echo *.none; umask; false | true", status=1) == "\n0027\n"
    assert "unbound" in run('echo "$nowhere"', status=127)
    run("set +u; shopt -u nullglob")
    assert run('echo "$nowhere" *.none') == " *.none\n"


def test_errexit_stays_while_cells_succeed_and_goes_with_the_cell_that_it_ended(run: Run) -> None:
    run("set -e; x=1")
    assert run("echo $x; x=2; false; echo not here", status=1) == "1\n"
    assert run("false; echo $x") == "2\n"


def test_an_option_that_would_cripple_the_next_cell_does_not_stay(run: Run) -> None:
    run("x=1; set -t")
    assert run("echo $x\necho again") == "1\nagain\n"
    run("x=2\nset -n\nx=3")
    assert run("set -m; echo $x") == "1\n"
    assert "m" not in run("echo $-")


def test_tracing_goes_on_and_shows_only_the_cells_own_commands(run: Run) -> None:
    assert run("set -x\nx=1\ntrap 'true' EXIT") == "++ x=1\n++ trap true EXIT\n+ true\n"
    assert run("echo $x; set +x") == "++ echo 1\n1\n++ set +x\n"


@pytest.mark.parametrize(("code", "status"), [("exit 3", 3), ("(exit 4)", 4), ("set -e\nfalse", 1), ("true", 0)])
def test_the_exit_status_is_the_cells_own_and_the_state_is_kept(run: Run, code: str, status: int) -> None:
    run(f"x=1; {code}", status=status)
    assert run("echo $x") == "1\n"


def test_a_trap_of_the_cells_own_runs_and_the_state_is_kept(run: Run) -> None:
    assert run("trap 'echo bye $? $x' EXIT; x=1; exit 3", status=3) == "bye 3 1\n"
    assert run("echo $x; trap 'echo again; exit 9' 0; x=2; set -e; false", status=9) == "1\nagain\n"
    assert run("echo $x") == "2\n"


def test_traps_are_shown_and_reset_as_if_there_were_none_of_ours(run: Run) -> None:
    assert run("trap; trap -p EXIT; trap 'echo a' EXIT; trap -p; trap - EXIT; trap") == "trap -- 'echo a' EXIT\n"
    assert run("trap 'echo int' INT; trap -p INT; (trap 'echo sub' EXIT; true); x=1") == (
        "trap -- 'echo int' SIGINT\nsub\n"
    )
    assert run("echo $x; trap nonsense NOSUCH; echo $?").splitlines()[0::2] == ["1", "1"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("exec true", 0), ("kill -KILL $$", -9), ("kill -TERM $$; sleep 9", -15), ("if", 2), ("x=(", 1)],
)
def test_a_cell_without_a_proper_end_leaves_the_state_before_it(run: Run, code: str, status: int) -> None:
    run("x=1")
    run(f"x=2; {code}", status=status)
    assert run("echo $x") == "1\n"


def test_a_python_cells_environment_is_seen_unless_the_shell_has_changed_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTH", "python")
    monkeypatch.setenv("MINE", "1")
    run("BOTH=shell; export HERE=1; unset MINE")
    monkeypatch.setenv("LATER", "now")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/mine")
    monkeypatch.setenv("BOTH", "python again")
    assert run('echo "$LATER ${PATH##*:} $BOTH $HERE ${MINE-unset}"') == "now /mine shell 1 unset\n"


def test_state_comes_back_from_plain_values(run: Run, state: ShellState, place: Path) -> None:
    (place / "sub").mkdir()
    run("cd sub; export x='a\nb'; f() { echo f $x; }; alias l=f; set -o pipefail")
    other = ShellState(str(place))
    other.take(state.values())
    assert other.values() == state.values()
    assert run("pwd; f; l; set -o | grep pipefail", state=other).split() == [
        *(f"{place}/sub", "f", "a", "b", "f", "a", "b", "pipefail", "on")
    ]


@pytest.mark.parametrize(
    "values",
    [None, {}, {"directory": 1, "changes": []}, {"directory": "/", "changes": [["variable", "x", 3]]}, [1], ""],
)
def test_values_that_are_no_state_change_nothing(run: Run, state: ShellState, values: object) -> None:
    run("x=1")
    before = state.values()
    state.take(values)
    assert state.values() == before


def test_statements_that_fail_do_not_spoil_the_others(run: Run, state: ShellState) -> None:
    changes = [
        ["variable", "x", "declare -- x=("],
        ["function", "f", "f () {"],
        ["function", "g", "g () \n{ \n    echo g\n}\n"],
        ["variable", "y", 'declare -- y="kept"\n'],
        ["nonsense", "z", "exit 7"],
    ]
    state.take({"directory": "/", "changes": changes})
    assert run("echo $y; g") == "kept\ng\n"


def test_a_state_that_is_too_large_is_said_and_the_one_before_stays(run: Run) -> None:
    run("x=small")
    note = run(f"x=$(head -c {shell_state.LIMIT} /dev/zero | tr '\\0' x); y=1")
    assert note == "[what this cell has set is over 1 MiB and is not kept for the next shell cell]"
    assert run('echo "$x$y"') == "small\n"


def test_without_room_the_cell_runs_and_it_is_said(run: Run, tmp_path: Path) -> None:
    run("x=1")
    (tmp_path / "tmp").rmdir()
    tempfile.tempdir = str(tmp_path / "tmp")
    output = run("echo ran")
    assert output == "ran\n[this cell ran without what earlier shell cells had set: No such file or directory]"
    (tmp_path / "tmp").mkdir()
    assert run("echo $x") == "1\n"


def test_a_bash_that_reads_no_prologue_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("x=1")
    monkeypatch.setenv("POSIXLY_CORRECT", "1")
    assert run('echo "$x"') == ("\n[this cell ran without what earlier shell cells had set: bash read no prologue]")
    monkeypatch.delenv("POSIXLY_CORRECT")
    assert run('echo "$x"') == "1\n"


def test_a_cell_may_name_its_functions_and_aliases_like_our_commands(run: Run) -> None:
    run(
        "declare() { echo mine; }; printf() { echo mine; }; cd() { echo mine; }; set() { :; }; unset() { :; }\n"
        "alias shopt='echo alias' eval='echo alias' local='echo alias'; x=1"
    )
    assert run("echo $x; cd /") == "1\nmine\n"
    assert run("echo $x; printf") == "1\nmine\n"


def test_debug_and_error_traps_do_not_spoil_the_state(run: Run) -> None:
    run("set -TE; trap 'echo debug' DEBUG; trap 'echo error' ERR; x=1; false", status=1)
    assert "1" in run("set +TE; echo $x").splitlines()


def test_nothing_of_it_is_left_or_shown(run: Run, tmp_path: Path) -> None:
    assert run("f() { :; }; echo $0 $LINENO $?; history") == "bash 1 0\n"
    shown = run("set; env; alias; declare -F; compgen -v; bash -c 'declare -F; env'; ls -A $TMPDIR | wc -l")
    # But for the function `trap`, which is ours while a cell runs.
    of_trap = shown[shown.index("trap ()") :].partition("\n}\n")[0]
    assert "__outlast" not in shown.replace(of_trap, "")
    assert "BASH_ENV" not in shown
    assert list((tmp_path / "tmp").iterdir()) == []


def test_code_of_any_length_keeps_the_state_too(run: Run) -> None:
    run("# " + "x" * 300_000 + "\nlong=1")
    assert run("echo $long") == "1\n"


def test_a_cells_own_start_file_is_its_own(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASH_ENV", str(place / "own"))
    (place / "own").write_text("echo own\n")
    assert run("bash -c 'echo child'") == "own\nchild\n"
