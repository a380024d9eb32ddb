"""Attacks on the running of others: ending and stopping processes that are not the session's own."""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import steering
from .steering import TARGETS
from .toolkit import python

_SIGNALS = Group.SIGNALS

_KILL = r"""
for pid in targets:
    blow("SIGKILL", lambda: os.kill(pid, signal.SIGKILL), pid)
verdict()
"""

_STOP = r"""
for pid in targets:
    for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        blow(signal.Signals(number).name, lambda: os.kill(pid, number), pid)
    attempt(os.kill, pid, signal.SIGCONT)
verdict()
"""

_EVERY_NUMBER = r"""
for pid in targets:
    for number in sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}) + [0, 32, 33]:
        blow(f"signal {number}", lambda: libc.kill(pid, number) and call("tkill", pid, number), pid)
verdict()
"""

_EVERYBODY = r"""
# From a child that outlives what it does: it looks afterwards who is left, and the kernel itself is spared by a stop.
before = {pid: words for pid, words in others().items() if pid in lasting}
out, into = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    for step in (lambda: os.kill(-1, signal.SIGCONT), lambda: os.kill(-1, signal.SIGURG)):
        with contextlib.suppress(OSError):
            step()
    os.write(into, b"done")
    os._exit(0)
os.waitpid(child, 0)
for number in (signal.SIGTERM, signal.SIGKILL):
    attempt(os.kill, -1, number)  # Linux spares the caller.
time.sleep(0.3)
keep("ended", [words[:4] for pid, words in before.items() if is_hit(pid)])
verdict()
"""

_GROUPS = r"""
for pid in targets:
    group, session = int(fields(pid)[2]), int(fields(pid)[3])
    for number in {group, session, pid} - {0, 1, os.getpgrp()}:
        blow("SIGSTOP to the group", lambda: os.killpg(number, signal.SIGSTOP), pid)
        blow("SIGKILL to the group", lambda: os.kill(-number, signal.SIGKILL), pid)
    # Being a member of the group would do too.
    if passes(os.setpgid, 0, group) and group:
        keep("joined the process group", group)
verdict()
"""

_HANDLES = r"""
for pid in targets:
    handle = attempt(os.pidfd_open, pid)
    directory = attempt(os.open, f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
    for place in (handle, directory):
        if place is not None:
            for number in (signal.SIGSTOP, signal.SIGKILL):
                blow("a signal by its handle", lambda: signal.pidfd_send_signal(place, number), pid)
verdict()
"""

_THREADS = r"""
for pid in targets:
    for thread in threads(pid)[:8]:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            blow(f"a signal to the thread {thread}", lambda: call("tgkill", pid, thread, number), pid)
            blow(f"a signal to the thread {thread}", lambda: call("tgkill", -1, thread, number), pid)
            blow(f"a signal to the thread {thread}", lambda: call("tkill", thread, number), pid)
verdict()
"""

_FORGED = r"""
# A queued signal carries who sent it, and its sender may write anything there.
for pid in targets:
    for number, code in ((signal.SIGSTOP, -1), (signal.SIGKILL, -6), (signal.SIGTERM, -60)):
        facts = struct.pack("=iiiiii", number, 0, code, 0, os.getppid(), 0) + bytes(104)
        blow("a queued signal", lambda: call("rt_sigqueueinfo", pid, number, facts), pid)
        blow("a queued signal to a thread", lambda: call("rt_tgsigqueueinfo", pid, pid, number, facts), pid)
verdict()
"""

_OWNED = r"""
# Linux itself sends this one, when something can be read: to whomever the descriptor is said to belong.
import fcntl
F_SETOWN_EX, F_SETSIG, FIOSETOWN, SIOCSPGRP = 15, 10, 0x8901, 0x8902
for pid in targets:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for way in ("F_SETOWN", "F_SETOWN of its group", "F_SETOWN_EX of a thread", "FIOSETOWN", "SIOCSPGRP",
                    "a lease"):
            before = is_hit(pid)
            left, right = socket.socketpair() if way in ("FIOSETOWN", "SIOCSPGRP") else (None, None)
            read_end, write_end = os.pipe() if left is None else (left.fileno(), right.fileno())
            if way == "F_SETOWN":
                attempt(fcntl.fcntl, read_end, fcntl.F_SETOWN, pid)
            elif way == "F_SETOWN of its group":
                attempt(fcntl.fcntl, read_end, fcntl.F_SETOWN, -int(fields(pid)[2]))
            elif way == "F_SETOWN_EX of a thread":
                attempt(fcntl.fcntl, read_end, F_SETOWN_EX, struct.pack("=ii", 0, pid))
            elif way == "a lease":
                leased = os.open("leased", os.O_RDONLY | os.O_CREAT)
                attempt(fcntl.fcntl, leased, F_SETSIG, number)
                # Until it is said to be another's, a lease is the caller's own: whom the signal then stops.
                if (attempt(fcntl.fcntl, leased, fcntl.F_SETLEASE, fcntl.F_RDLCK) is not None
                        and attempt(fcntl.fcntl, leased, fcntl.F_SETOWN, pid) is not None):
                    attempt(os.open, "leased", os.O_WRONLY | os.O_NONBLOCK)
                os.close(leased)
            else:
                attempt(fcntl.ioctl, read_end, FIOSETOWN if way == "FIOSETOWN" else SIOCSPGRP, struct.pack("=i", pid))
            attempt(fcntl.fcntl, read_end, F_SETSIG, number)
            attempt(fcntl.fcntl, read_end, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
            attempt(os.write, write_end, b"x")
            if number == signal.SIGSTOP and way != "a lease":
                time.sleep(0.01)
            if not before and is_hit(pid):
                keep(f"{way}, and {pid} is in the state", fields(pid)[0].decode())
            if left is None:
                os.close(read_end), os.close(write_end)
            else:
                left.close(), right.close()
verdict()
"""

_TRACED = r"""
ATTACH, SEIZE, INTERRUPT, KILL, DETACH = 16, 0x4206, 0x4207, 8, 17
for pid in targets:
    for thread in threads(pid)[:3]:
        blow("a tracer", lambda: call("ptrace", ATTACH, thread, 0, 0), pid)
        attempt(call, "ptrace", DETACH, thread, 0, 0)
        if attempt(call, "ptrace", SEIZE, thread, 0, 0) is not None:
            blow("a tracer's interruption", lambda: call("ptrace", INTERRUPT, thread, 0, 0), pid)
        attempt(call, "ptrace", KILL, thread, 0, 0)
    try:
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory_file:
            keep("memory to write", pid)
    except OSError as error:
        refused.append(error.strerror)
verdict()
"""

_SHELL = r"""
before=$(ls -d /proc/[0-9]* | wc -l) got=""
for proc in /proc/[0-9]*; do
    pid=${proc#/proc/}
    read -r line 2>/dev/null <"$proc/stat" || continue
    rest=${line##*) }; set -- $rest
    read -r own <"/proc/$$/stat"; own=${own##*) }
    [ "$4" = "$(set -- $own; echo "$4")" ] && continue
    for number in STOP KILL TERM; do
        kill -s $number "$pid" 2>/dev/null && got="$got SIG$number to $pid"
        [ "$3" -gt 1 ] && kill -s $number -- "-$3" 2>/dev/null && got="$got SIG$number to the group $3"
        perl -e 'exit !kill($ARGV[0], $ARGV[1])' "$number" "$pid" && got="$got perl: SIG$number to $pid"
    done
done
[ -n "$got" ] && echo "BREACH $got" || echo HELD
"""

_NODE = r"""
const fs = require("fs"), got = []
const session = pid => fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ")[3]
for (const pid of fs.readdirSync("/proc").filter(name => /^\d+$/.test(name)).map(Number)) {
  try { if (session(pid) === session(process.pid)) continue } catch (error) { continue }
  for (const number of ["SIGSTOP", "SIGTERM", "SIGKILL", "SIGUSR1"])
    for (const target of pid > 1 ? [pid, -pid] : [pid])
      try { process.kill(target, number); got.push(`${number} to ${target}`) } catch (error) {}
  try { require("os").setPriority(pid, 19); got.push(`priority of ${pid}`) } catch (error) {}
}
console.log(got.length ? `BREACH ${got}` : "HELD")
"""

_IN_OTHERS_NAME = r"""
# As somebody else, or in another's namespace of users, the signal would be allowed.
_, _, told = bystander()
uid = told["sandbox"]["uid"] or 65534
here = os.getresuid()
for user in {uid, 0, 1, 65534}:
    for step in ((os.setresuid, user, user, user), (os.seteuid, user), (os.setreuid, -1, user), (os.setresuid, -1, -1,
            user)):
        if passes(*step) and user != here[0]:
            keep(f"the user {user}", os.getresuid())
            for pid in targets:
                blow("SIGSTOP", lambda: os.kill(pid, signal.SIGSTOP), pid)
left, right = socket.socketpair()
right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
for pid, user in ((os.getpid(), uid), (os.getpid(), 0), (kernel, os.getuid())):
    claim = struct.pack("=3i", pid, user, user)
    if (pid, user) != (os.getpid(), os.getuid()):
        keep(f"a message in the name of {pid}, {user}", attempt(left.sendmsg, [b"x"], [(socket.SOL_SOCKET, 2, claim)]))
verdict()
"""

_ALLOWED_OWN = r"""
import os, signal, subprocess, time
child = subprocess.Popen(["sleep", "60"])
os.kill(child.pid, signal.SIGSTOP)
time.sleep(0.2)
assert open(f"/proc/{child.pid}/stat").read().rpartition(")")[2].split()[0] == "T"
os.kill(child.pid, signal.SIGCONT)
handle = os.pidfd_open(child.pid)
signal.pidfd_send_signal(handle, signal.SIGTERM)
assert child.wait(5) == -signal.SIGTERM
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append("own"))
os.kill(os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGALRM, lambda *_: heard.append("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.3)
assert heard == ["own", "alarm"], heard
group = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], process_group=0)
os.killpg(group.pid, signal.SIGKILL)
assert group.wait(5) == -signal.SIGKILL
print("WORKS")
"""

_ALLOWED_PRIORITY = r"""
import os, resource, subprocess
child = subprocess.Popen(["sleep", "60"])
os.setpriority(os.PRIO_PROCESS, child.pid, 10)
assert os.getpriority(os.PRIO_PROCESS, child.pid) == 10
os.sched_setaffinity(child.pid, {min(os.sched_getaffinity(0))})
resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (64, 64))
assert "max open files            64" in open(f"/proc/{child.pid}/limits").read().lower()
child.kill()
child.wait()
print("WORKS")
"""

_ALLOWED_SHELL = r"""
sleep 60 &
sleeper=$!
# A signal that comes while the child is bash yet may be lost to it.
until [ "$(cat /proc/$sleeper/comm)" = sleep ]; do sleep 0.01; done
kill -STOP $sleeper && kill -CONT $sleeper && kill $sleeper
wait $sleeper
[ $? = 143 ] || exit 1
trap 'echo caught >caught' USR1
kill -USR1 $$
[ "$(cat caught)" = caught ] && rm caught
timeout 0.2 sleep 60
[ $? = 124 ] && echo WORKS
"""

_ALLOWED_POOL = r"""
import multiprocessing
with multiprocessing.get_context("spawn").Pool(2) as pool:
    assert pool.map(abs, [-1, -2, -3]) == [1, 2, 3]
    pool.terminate()
process = multiprocessing.get_context("fork").Process(target=__import__("time").sleep, args=(60,))
process.start()
process.terminate()
process.join(5)
assert process.exitcode == -15
print("WORKS")
"""

_ATTACKS = (
    python(_SIGNALS, "to end everybody, one by one", TARGETS + _KILL),
    python(_SIGNALS, "to stop everybody, one by one", TARGETS + _STOP),
    python(_SIGNALS, "to reach anybody with any other signal", TARGETS + _EVERY_NUMBER),
    python(_SIGNALS, "to end everybody at once", TARGETS + _EVERYBODY),
    python(_SIGNALS, "to end others' process groups, or to join them", TARGETS + _GROUPS),
    python(_SIGNALS, "to end others by handles of their processes", TARGETS + _HANDLES),
    python(_SIGNALS, "to end single threads of others", TARGETS + _THREADS),
    python(_SIGNALS, "to end others by signals that name another sender", TARGETS + _FORGED),
    python(_SIGNALS, "to have Linux end others when a descriptor is ready", TARGETS + _OWNED),
    python(_SIGNALS, "to stop and steer others as their tracer", TARGETS + _TRACED),
    Attack(_SIGNALS, "to end others from JavaScript", _NODE, "javascript"),
    Attack(_SIGNALS, "to end others from a shell and perl", _SHELL, "shell"),
    python(_SIGNALS, "to end others as another user", TARGETS + _IN_OTHERS_NAME),
)
ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *steering.ATTACKS)

ALLOWED: tuple[Allowed, ...] = (
    Allowed("a cell signals itself, its children and their groups", _ALLOWED_OWN, _SIGNALS),
    Allowed("a cell sets its own children's priority and limits", _ALLOWED_PRIORITY, _SIGNALS),
    Allowed("a shell cell uses jobs, traps and timeout", _ALLOWED_SHELL, _SIGNALS, "shell"),
    Allowed("pools and processes of multiprocessing end on request", _ALLOWED_POOL, _SIGNALS),
)
