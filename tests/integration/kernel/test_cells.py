"""Cells in a real kernel: what comes back, and that it is bounded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from outlast.errors import KernelDied
from tests.integration.kernel.conftest import NewSession, Session


def test_variables_stay_from_cell_to_cell(shared: Session) -> None:
    assert shared.run("x = 41").output == ""
    result = shared.run("print('x is', x)\nx + 1")
    assert (result.status, result.output) == ("ok", "x is 41\n42\n")


def test_shell_runs_in_the_sessions_files_with_both_streams_in_order(shared: Session) -> None:
    result = shared.run("echo out; echo err >&2; pwd; exit 3", "shell")
    assert result.status == "error"
    assert result.output == f"out\nerr\n{shared.workspace.files}\n[exit status 3]\n"


def test_a_shell_cell_goes_on_where_the_one_before_it_ended(new_session: NewSession) -> None:
    session = new_session("shell").ready()
    session.run("import os; os.environ['FROM_PYTHON'] = 'seen'")
    first = (
        "mkdir -p sub; cd sub; export x='two\nlines'; greet() { echo \"hello $1\"; }; alias hi=greet; set -u; exit 3"
    )
    assert session.run(first, "shell").output == "[exit status 3]\n"
    second = 'pwd; printenv x FROM_PYTHON; hi you; echo "$nowhere"'
    lines = session.run(second, "shell").output.splitlines()
    assert lines[:5] == [f"{session.workspace.files}/sub", "two", "lines", "seen", "hello you"]
    assert "unbound variable" in lines[5]
    assert list((session.workspace.root / "tmp").glob("shell-*")) == []


def test_an_interrupted_shell_cell_leaves_the_state_before_it(new_session: NewSession) -> None:
    session = new_session("interrupted-shell").ready()
    session.run("x=1", "shell")
    assert session.run("x=2; sleep 1000", "shell", timeout=2.0).status == "timeout"
    assert session.run("echo $x", "shell").output == "1\n"


def test_a_shell_cell_in_a_directory_that_is_gone_says_where_it_ran(new_session: NewSession) -> None:
    session = new_session("gone").ready()
    files = session.workspace.files
    session.run("mkdir sub; cd sub; rmdir ../sub", "shell")
    assert (
        session.run("pwd", "shell").output
        == f"{files}\n[the directory {files}/sub is gone; this cell ran in {files}]\n"
    )


def test_javascript_runs_in_the_sessions_files_and_starts_afresh(shared: Session) -> None:
    assert shared.run("globalThis.x = 1; console.log(1 + 1, process.cwd())", "javascript").output == (
        f"2 {shared.workspace.files}\n"
    )
    assert shared.run("console.log(typeof x)", "javascript").output == "undefined\n"


@pytest.mark.parametrize("language", ["shell", "javascript"])
def test_code_is_passed_as_data(shared: Session, language: str) -> None:
    text = r"""it's "$HOME" `id` $(id) \n %d {x} !ls ?"""
    code = f"cat <<'END'\n{text}\nEND\n" if language == "shell" else f"console.log(String.raw`{text.replace('`', '')}`)"
    assert shared.run(code, language).output == (text if language == "shell" else text.replace("`", "")) + "\n"


def test_shell_code_of_any_length_runs(shared: Session) -> None:
    assert shared.run("# " + "x" * 300_000 + "\necho done", "shell").output == "done\n"


def test_another_language_is_refused_in_a_sentence(shared: Session) -> None:
    result = shared.run("puts 1", "ruby")
    assert (result.status, result.output) == ("error", "`ruby` is not supported here; use python, shell or javascript.")


def test_an_error_comes_with_its_traceback_and_without_escapes(shared: Session) -> None:
    result = shared.run("def f():\n    return 1 / 0\nf()")
    assert result.status == "error"
    assert "ZeroDivisionError: division by zero" in result.output and "return 1 / 0" in result.output
    assert "\x1b" not in result.output


def test_input_is_refused_with_a_sentence_and_the_kernel_goes_on(shared: Session) -> None:
    assert "input() is not possible here" in shared.run("input('name?')").output
    assert "input() is not possible here" in shared.run("import getpass; getpass.getpass()").output
    assert shared.run('read -r line; echo "[$line]"', "shell").output == "[]\n"


def test_exit_does_not_end_the_session(shared: Session) -> None:
    shared.run("kept = 1")
    assert "the session goes on" in shared.run("exit()").output
    assert "SystemExit" in shared.run("import sys; sys.exit(3)").output
    assert shared.run("kept").output == "1\n"


def test_what_children_print_comes_before_what_is_printed_after_them(shared: Session) -> None:
    code = """
import os, subprocess, sys
print('first')
subprocess.run('echo second', shell=True)
print('third')
_ = subprocess.run(['sh', '-c', 'echo fourth'])
"""
    assert shared.run(code).output == "first\nsecond\nthird\nfourth\n"


def test_forked_children_may_print(shared: Session) -> None:
    code = """
import os, warnings
warnings.simplefilter('ignore')  # From 3.12 on a fork beside threads is warned of.
pid = os.fork()
if pid == 0:
    print('from the child', flush=True)
    os._exit(0)
_ = os.waitpid(pid, 0)
"""
    assert shared.run(code).output == "from the child\n"


def test_output_arrives_while_the_cell_runs(shared: Session) -> None:
    go = shared.workspace.files / "go"

    def on_output(text: str) -> None:
        shared.live.append(text)
        go.touch()

    code = "import os, time\nprint('one', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('two')"
    result = shared.run(code, on_output=on_output)
    go.unlink()
    assert result.output == "one\ntwo\n"
    assert shared.live[0] == "one\n"


def test_a_thread_that_outlives_its_cell_is_shown_with_the_cell_that_runs_then(shared: Session) -> None:
    shared.run(
        "import threading\nnext_cell = threading.Event()\n"
        "def late():\n    next_cell.wait()\n    print('late')\n"
        "thread = threading.Thread(target=late); thread.start()"
    )
    assert shared.run("next_cell.set(); thread.join(); print('mine')").output == "late\nmine\n"


def test_a_background_program_does_not_hold_up_its_cell(shared: Session) -> None:
    assert shared.run("sleep 1000 & echo started", "shell").output == "started\n"


def test_a_figure_becomes_a_png_artifact(shared: Session) -> None:
    result = shared.run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, 3])\nplt.show()", cell=21)
    assert result.output == "[figure: ../artifacts/cell-21.png]\n"
    (artifact,) = result.artifacts
    data = (shared.workspace.root / artifact.path).read_bytes()
    assert artifact.path == "artifacts/cell-21.png" and artifact.kind == "image/png"
    assert data.startswith(b"\x89PNG") and len(data) == artifact.size
    assert hashlib.sha256(data).hexdigest() == artifact.sha256
    assert shared.run("import os; print(os.path.exists('../artifacts/cell-21.png'))").output == "True\n"


@pytest.mark.parametrize(
    ("code", "size"),
    [
        ("print('x' * 20_000_000)", 20_000_001),
        ("for i in range(100_000): print(i)", 588_890),
        ("import sys\nfor i in range(2000): print('y' * 100, flush=True)", 202_000),
    ],
    ids=["one long line", "many lines", "many flushes"],
)
def test_a_flood_is_whole_in_its_artifact_and_bounded_for_the_model(shared: Session, code: str, size: int) -> None:
    result = shared.run(code, cell=30)
    assert result.status == "ok" and len(result.output) <= shared.settings.output_chars
    assert "characters left out; the whole output is in ../artifacts/cell-30" in result.output
    (artifact,) = result.artifacts
    assert artifact.size == size == (shared.workspace.root / artifact.path).stat().st_size
    assert sum(map(len, shared.live)) <= 66_000


def test_a_flood_of_a_program_is_whole_too(shared: Session) -> None:
    result = shared.run("seq 300000", "shell", cell=31)
    (artifact,) = result.artifacts
    assert (shared.workspace.root / artifact.path).read_text() == "".join(f"{n}\n" for n in range(1, 300_001))


def test_binary_output_and_escapes_end_as_printable_text(shared: Session) -> None:
    code = (
        "import os, sys\nos.write(1, bytes(range(256)))\nprint('\\x1b[31mred\\x1b[0m', '\\ud800')\nsys.stdout.flush()"
    )
    result = shared.run(code)
    assert result.status == "ok" and "red" in result.output
    assert all(character in "\n\t" or character.isprintable() or character == "\ufffd" for character in result.output)
    assert "[" not in result.output.partition("red")[2]
    assert shared.run("head -c 100000 /dev/urandom", "shell").status == "ok"


def test_what_would_break_the_connection_is_refused_in_the_kernel(shared: Session) -> None:
    huge = "from IPython.display import display\n"
    assert (
        "not shown, larger than 4 MiB"
        in shared.run(huge + "class Huge:\n    def _repr_html_(self): return 'x' * 30_000_000\ndisplay(Huge())").output
    )
    assert shared.run("raise ValueError('y' * 30_000_000)").status == "error"
    assert shared.run("'z' * 30_000_000").status == "ok"
    assert shared.run("print('still here')").output == "still here\n"


def test_no_secret_reaches_the_kernel(new_session: NewSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAST_MODEL_KEY", "a-secret-key")
    monkeypatch.setenv("REDIS_PASSWORD", "a-secret-key")
    session = new_session().ready()
    result = session.run(
        "import os\nprint(sorted(os.environ))\nprint('HOME', os.environ['HOME'])\nprint(list(os.environ.values()))"
    )
    assert f"HOME {session.workspace.root}/home" in result.output and "a-secret-key" not in result.output
    for pid in (session.kernel.guardian_pid, session.kernel.kernel_pid):
        assert b"a-secret-key" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "a-secret-key" not in session.run("env", "shell").output


def test_nothing_in_home_survives_and_nothing_of_the_worker_can_be_imported(new_session: NewSession) -> None:
    first = new_session("home").ready()
    first.run("import os; open(os.path.expanduser('~/.startup'), 'w').close(); open('kept', 'w').close()")
    first.close()
    second = new_session("home").ready()
    assert second.run(
        "import os; print(os.path.exists(os.path.expanduser('~/.startup')), os.path.exists('kept'))"
    ).output == ("False True\n")
    assert "ModuleNotFoundError" in second.run("import outlast").output


def test_the_kernel_listens_on_no_network_port(shared: Session) -> None:
    code = """
import os
files = [f'/proc/self/fd/{fd}' for fd in os.listdir('/proc/self/fd')]
inodes = {os.readlink(file) for file in files if os.path.lexists(file)}
tables = [line.split() for name in ('tcp', 'tcp6', 'udp', 'udp6') for line in open(f'/proc/self/net/{name}')][1:]
print([fields for fields in tables if f'socket:[{fields[9]}]' in inodes])
"""
    assert shared.run(code).output == "[]\n"


def test_a_kernel_that_sends_garbage_is_killed(new_session: NewSession) -> None:
    session = new_session().ready()
    with pytest.raises(KernelDied, match="no message"):
        session.run("get_ipython().kernel.iopub_thread.send_multipart([b'garbage'])")
    with pytest.raises(KernelDied, match="guardian has ended"):
        session.run("1")


def test_a_kernel_that_takes_no_request_any_more_is_killed_instead_of_waited_for(new_session: NewSession) -> None:
    session = new_session().ready()
    # A proper answer, then one of a size at which the worker's socket drops the connection for good.
    session.run(
        "kernel = get_ipython().kernel\n"
        "asker, session = kernel._get_shell_context_var(kernel._shell_parent_ident), kernel.session\n"
        "request = kernel.get_parent('shell')['header']\n"
        "for size in (1, 40_000_000):\n"
        "    header, content = session.msg_header('execute_reply'), {'status': 'ok', 'text': 'x' * size}\n"
        "    parts = [session.pack(part) for part in (header, request, {}, content)]\n"
        "    whole = [*asker, b'<IDS|MSG>', session.sign(parts), *parts]\n"
        "    kernel.shell_stream.socket.send_multipart(whole)\n"
    )
    with pytest.raises(KernelDied, match="broke off the connection"):
        session.run("1")
