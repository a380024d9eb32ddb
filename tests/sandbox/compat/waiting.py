"""Work that waits: asyncio, sockets between own processes, selectors and signals."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

WAITING: tuple[Allowed, ...] = (
    Allowed(
        "asyncio: await at the top, gather, timeouts, queues and threads",
        """
import asyncio, time
async def after(seconds, value):
    await asyncio.sleep(seconds)
    return value
began = time.monotonic()
assert await asyncio.gather(*(after(0.2, i) for i in range(200))) == list(range(200))
assert time.monotonic() - began < 10
try:
    await asyncio.wait_for(after(30, None), 0.1)
    raise SystemExit("no timeout")
except asyncio.TimeoutError:
    pass
async with asyncio.TaskGroup() as group:
    tasks = [group.create_task(after(0.01 * i, i)) for i in range(5)]
assert [task.result() for task in tasks] == list(range(5))
queue, got = asyncio.Queue(2), []
async def consume():
    while (item := await queue.get()) is not None: got.append(item)
consumer = asyncio.create_task(consume())
for i in [*range(10), None]: await queue.put(i)
await consumer
assert got == list(range(10)) and await asyncio.to_thread(sum, range(100)) == 4950
async def numbers():
    for i in range(3): yield i
assert [i async for i in numbers()] == [0, 1, 2]
print("WORKS")
""",
    ),
    Allowed(
        "asyncio: subprocesses, their pipes and a Unix server, in a loop of their own as well",
        """
import asyncio, pathlib, sys, tempfile, threading
async def programs():
    process = await asyncio.create_subprocess_exec("sort", "-n", stdin=-1, stdout=-1)
    out, _ = await process.communicate(b"3\\n1\\n2\\n")
    assert out == b"1\\n2\\n3\\n" and process.returncode == 0
    shells = [await asyncio.create_subprocess_shell(f"sleep 0.1; echo {i}", stdout=-1) for i in range(5)]
    assert [int((await shell.communicate())[0]) for shell in shells] == list(range(5))
    slow = await asyncio.create_subprocess_exec("sleep", "60")
    slow.terminate()
    assert await slow.wait() == -15
async def talk():
    place = pathlib.Path(tempfile.mkdtemp()) / "socket"
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
    async with await asyncio.start_unix_server(answer, place):
        reader, writer = await asyncio.open_unix_connection(place)
        writer.write(b"hello\\n")
        assert await reader.readline() == b"HELLO\\n"
        writer.close(); await writer.wait_closed()
await programs()
await talk()
errors = []
def own_loop():
    try:
        asyncio.run(programs()); asyncio.run(talk())
    except BaseException as error:
        errors.append(error)
thread = threading.Thread(target=own_loop); thread.start(); thread.join(60)
assert not errors, errors
print("WORKS")
""",
        group=Group.NETWORK,
    ),
    Allowed(
        "sockets between own processes: socketpair, a named socket, descriptors passed on, selectors",
        """
import array, os, selectors, socket, tempfile, threading
one, two = socket.socketpair()
one.sendall(b"ping"); assert two.recv(10) == b"ping"
place = os.path.join(tempfile.mkdtemp(), "s")
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); server.bind(place); server.listen(5)
def serve():
    for _ in range(3):
        connection, _ = server.accept()
        with connection: connection.sendall(connection.recv(100)[::-1])
thread = threading.Thread(target=serve); thread.start()
for word in (b"abc", b"def", b"ghi"):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(place); client.sendall(word); assert client.recv(10) == word[::-1]
thread.join(10); server.close()
with open("passed.txt", "w+") as file:
    file.write("through a socket"); file.flush()
    socket.send_fds(one, [b"f"], [file.fileno()])
    _, (fd,), _, _ = socket.recv_fds(two, 1, 1)
    assert os.pread(fd, 100, 0) == b"through a socket"; os.close(fd)
with selectors.DefaultSelector() as selector:
    selector.register(two, selectors.EVENT_READ, "two")
    assert selector.select(0) == []
    one.send(b"!"); [(key, _)] = selector.select(5)
    assert key.data == "two" and two.recv(1) == b"!"
one.close(); two.close()
mail = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); mail.bind(place + "d")
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"letter", place + "d"); assert mail.recv(99) == b"letter"
print("WORKS")
""",
        group=Group.NETWORK,
    ),
    Allowed(
        "sockets between own processes: listeners of multiprocessing, and RPC over one",
        """
import os, socketserver, tempfile, threading
from multiprocessing.connection import Client, Listener
from multiprocessing.managers import BaseManager
place = os.path.join(tempfile.mkdtemp(), "listener")
with Listener(place, authkey=b"key") as listener:
    def serve():
        with listener.accept() as connection: connection.send(sum(connection.recv()))
    thread = threading.Thread(target=serve); thread.start()
    with Client(place, authkey=b"key") as client:
        client.send(list(range(1000))); assert client.recv() == 499_500
    thread.join(10)
class Counter:
    def __init__(self): self.n = 0
    def up(self, by): self.n += by; return self.n
class Manager(BaseManager): pass
Manager.register("Counter", Counter)
import multiprocessing
with Manager(ctx=multiprocessing.get_context("fork")) as manager:
    counter = manager.Counter()
    assert [counter.up(2), counter.up(3)] == [2, 5]
class Handler(socketserver.StreamRequestHandler):
    def handle(self): self.wfile.write(self.rfile.readline().upper())
with socketserver.ThreadingUnixStreamServer(place + "2", Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import socket
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(place + "2"); client.sendall(b"hi\\n"); assert client.recv(9) == b"HI\\n"
    server.shutdown()
print("WORKS")
""",
        group=Group.NETWORK,
    ),
    Allowed(
        "signals: alarm, timers and handlers in the main thread",
        """
import os, signal, threading, time
class TooLong(Exception): pass
def stop(number, frame): raise TooLong
old = signal.signal(signal.SIGALRM, stop)
try:
    signal.alarm(1)
    try:
        while True: sum(range(1000))
    except TooLong:
        print("stopped by the alarm")
    ticks = []
    signal.signal(signal.SIGALRM, lambda *_: ticks.append(time.monotonic()))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    end = time.monotonic() + 20
    while len(ticks) < 4 and time.monotonic() < end: time.sleep(0.02)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(ticks) >= 4
finally:
    signal.alarm(0); signal.signal(signal.SIGALRM, old)
seen = []
before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
os.kill(os.getpid(), signal.SIGUSR1); signal.raise_signal(signal.SIGUSR1); time.sleep(0.05)
signal.signal(signal.SIGUSR1, before)
assert seen == [signal.SIGUSR1] * 2
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)
assert signal.sigtimedwait({signal.SIGUSR2}, 5).si_pid == os.getpid()
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
try:
    os.kill(os.getpid(), signal.SIGINT); time.sleep(5); raise SystemExit("not interrupted")
except KeyboardInterrupt:
    pass
print("WORKS")
""",
        group=Group.SIGNALS,
    ),
    Allowed(
        "clocks: sleeps, sched, timeit, tracemalloc and a profile",
        """
import cProfile, io, pstats, sched, time, timeit, tracemalloc
began = time.perf_counter(); time.sleep(0.05); assert 0.04 < time.perf_counter() - began < 5
assert time.time() > 1.7e9 and time.clock_gettime(time.CLOCK_MONOTONIC) > 0 and time.process_time() > 0
assert time.thread_time() > 0
order, plan = [], sched.scheduler()
for delay, name in ((0.06, "b"), (0.01, "a")): plan.enter(delay, 1, order.append, (name,))
plan.run(); assert order == ["a", "b"]
assert timeit.timeit("sum(range(100))", number=100) > 0
profile = cProfile.Profile(); profile.runcall(sorted, [3, 1, 2] * 1000)
text = io.StringIO(); pstats.Stats(profile, stream=text).sort_stats("cumulative").print_stats(3)
assert "sorted" in text.getvalue()
tracemalloc.start()
kept = [bytes(1000) for _ in range(1000)]
assert tracemalloc.get_traced_memory()[0] > 1_000_000 and tracemalloc.take_snapshot().statistics("lineno")
tracemalloc.stop()
print("WORKS")
""",
    ),
)
