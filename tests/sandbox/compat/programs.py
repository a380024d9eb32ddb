"""Other programs from Python: subprocess, IPython's escapes and magics, terminals."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

PROGRAMS: tuple[Allowed, ...] = (
    Allowed(
        "subprocess: run, pipes, a shell's line, input, errors and timeouts",
        """
import subprocess, sys, time
done = subprocess.run(["ls", "-la", "/usr/bin"], capture_output=True, text=True, check=True)
assert "python3" in done.stdout
piped = subprocess.run("printf 'b\\\\na\\\\n' | sort | head -1", shell=True, capture_output=True, text=True)
assert piped.stdout == "a\\n"
assert subprocess.check_output([sys.executable, "-c", "print(input()[::-1])"], input=b"abc") == b"cba\\n"
first = subprocess.Popen(["seq", "1", "1000"], stdout=subprocess.PIPE)
second = subprocess.Popen(["grep", "-c", "7"], stdin=first.stdout, stdout=subprocess.PIPE, text=True)
first.stdout.close()
assert second.communicate()[0].strip() == "271" and first.wait() == 0
failed = subprocess.run("echo oops >&2; exit 3", shell=True, capture_output=True, text=True)
assert (failed.returncode, failed.stderr) == (3, "oops\\n")
began = time.monotonic()
try:
    subprocess.run(["sleep", "30"], timeout=0.5)
    raise SystemExit("no timeout")
except subprocess.TimeoutExpired:
    assert time.monotonic() - began < 10
try:
    subprocess.run(["no-such-program"])
    raise SystemExit("no error")
except FileNotFoundError:
    pass
given = subprocess.run(["sh", "-c", "echo $GIVEN; pwd"], env={"GIVEN": "x", "PATH": "/usr/bin"}, cwd="/usr",
                       capture_output=True, text=True)
assert given.stdout.split() == ["x", "/usr"]
print("WORKS")
""",
    ),
    Allowed(
        "subprocess: groups and sessions of processes, descriptors, signals, limits",
        """
import os, resource, signal, subprocess, sys, time
group = subprocess.Popen("sleep 60 & sleep 60 & wait", shell=True, start_new_session=True)
time.sleep(0.3)
assert os.getpgid(group.pid) == group.pid and os.getsid(group.pid) == group.pid
os.killpg(group.pid, signal.SIGTERM)
assert group.wait(10) == -signal.SIGTERM
read, write = os.pipe()
subprocess.run(["bash", "-c", f"echo through >&{write}"], pass_fds=[write], check=True)
assert os.read(read, 20) == b"through\\n"
def bounded():
    resource.setrlimit(resource.RLIMIT_CPU, (1, 2)); os.nice(3)
burning = subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=bounded)
burning.send_signal(signal.SIGSTOP); burning.send_signal(signal.SIGCONT)
assert burning.wait(60) in (-signal.SIGXCPU, -signal.SIGKILL)
lines = subprocess.Popen([sys.executable, "-u", "-c", "import time\\nfor i in range(3): print(i); time.sleep(.1)"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
assert [line.strip() for line in lines.stdout] == ["0", "1", "2"] and lines.wait() == 0
assert subprocess.run(["timeout", "-s", "INT", "0.3", "sleep", "20"]).returncode == 124
assert int(subprocess.run(["nice", "-n", "5", "nice"], capture_output=True).stdout) == os.nice(0) + 5
print("WORKS")
""",
        group=Group.SIGNALS,
    ),
    Allowed(
        "escapes of a cell: ! with variables and its lines, %cd, %env, %pwd",
        """
import os
name = "list.txt"
!printf 'c\\nb\\na\\n' > {name}
sorted_lines = !sort $name
assert sorted_lines == ["a", "b", "c"] and sorted_lines.n == "a\\nb\\nc"
start = os.getcwd()
!mkdir -p deeper/down
%cd deeper/down
assert os.getcwd() == start + "/deeper/down"
where = !pwd
assert where[0] == os.getcwd()
%cd -q -
assert os.getcwd() == start
%env COLOUR=green
shown = !echo $COLOUR
assert shown == ["green"] and os.environ["COLOUR"] == "green"
here = %pwd
assert here == start
!exit 4
assert _exit_code == 4
print("WORKS")
""",
        terminals=True,
    ),
    Allowed(
        "magics: %timeit, %time, %%capture, %%writefile, %run, %%bash, %%prun, %who, %autoreload",
        """
total = 0
shell = get_ipython()
took = shell.run_line_magic("timeit", "-o -q -n 20 -r 2 sum(range(100))")
assert 0 < took.best < 0.1
shell.run_cell_magic("timeit", "-n 5 -r 1", "x = [i for i in range(1000)]")
shell.run_cell_magic("writefile", "script.py", "import sys\\nvalue = len(sys.argv)\\nprint('ran', __name__)\\n")
%run script.py one two
assert value == 3
shell.run_cell_magic("capture", "caught", "print('kept'); 1 / 1")
assert caught.stdout.startswith("kept")
%time total = sum(range(1000))
assert total == 499500
shell.run_cell_magic("bash", "--out lines", "for i in 1 2 3; do echo $i; done")
assert lines.split() == ["1", "2", "3"]
shell.run_cell_magic("python3", "--out text", "print(6 * 7)")
assert text == "42\\n"
shell.run_cell_magic("prun", "-q -T profile.txt", "sorted(range(1000))")
assert "function calls" in open("profile.txt").read()
%load_ext autoreload
%autoreload 2
%who str
print("WORKS")
""",
    ),
    Allowed(
        "a cell in bash: %%bash",
        """%%bash
set -euo pipefail
data=$(mktemp)
seq 1 100 >"$data"
[[ $(awk '{ s += $1 } END { print s }' "$data") == 5050 ]]
rm "$data"
echo WORKS
""",
    ),
    Allowed(
        "a cell that is timed: %%timeit",
        """%%timeit -q -n 1 -r 1 import numpy as np
assert np.ones(1000).cumsum()[-1] == 1000
print("WORKS")
""",
    ),
    Allowed(
        "terminals: a program on a pseudo-terminal, pty, and pexpect",
        """
import os, pty, select, subprocess, sys
import pexpect
ours, theirs = pty.openpty()
program = subprocess.Popen(["sh", "-c", "test -t 0 && test -t 1 && echo terminal; stty size"], stdin=theirs,
                           stdout=theirs, stderr=theirs, start_new_session=True)
os.close(theirs)
program.wait(20)
said = b""
while select.select([ours], [], [], 1)[0]:
    try:
        if not (data := os.read(ours, 1000)): break
    except OSError:  # Linux's end of a terminal
        break
    said += data
os.close(ours)
assert said.startswith(b"terminal\\r\\n"), said
session = pexpect.spawn(sys.executable, ["-i", "-q"], timeout=30, encoding="utf-8")
session.expect(">>> "); session.sendline("6 * 7"); session.expect("42")
session.sendeof(); session.expect(pexpect.EOF); session.close()
assert session.exitstatus == 0
assert "42" in pexpect.run("expr 6 '*' 7").decode()
print("WORKS")
""",
        terminals=True,
    ),
    Allowed(
        "programs in the background: one that a later part of the cell asks, one that outlives the cell",
        """
import os, pathlib, subprocess, sys, time
code = '''
import time
for i in range(300):
    open("ticks.txt", "a").write(f"{i} ")
    time.sleep(.05)
'''
ticker = subprocess.Popen([sys.executable, "-c", code])
end = time.monotonic() + 20
while not (pathlib.Path("ticks.txt").exists() and len(pathlib.Path("ticks.txt").read_text().split()) >= 3):
    assert time.monotonic() < end and ticker.poll() is None
    time.sleep(0.05)
ticker.kill(); ticker.wait()
assert os.system("(sleep 1; echo later > later.txt) & nohup sleep 2 > /dev/null 2>&1 &") == 0
while not pathlib.Path("later.txt").exists():
    assert time.monotonic() < end
    time.sleep(0.05)
print("WORKS")
""",
    ),
)
