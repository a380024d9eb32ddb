"""Several processes and threads at once: multiprocessing, concurrent.futures and what they share."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

#: Spawned processes import the functions that they run: cells write them into a file first.
_CREW = '''
import importlib, os, pathlib, sys
pathlib.Path("crew.py").write_text("""
import multiprocessing, os, signal, time
def square(x):
    return x * x
def whoami(_):
    return os.getpid()
def add(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1
def produce(queue, n):
    for i in range(n):
        queue.put(i)
    queue.put(None)
def negate(name, shape):
    import numpy as np
    from multiprocessing.shared_memory import SharedMemory
    block = SharedMemory(name)
    array = np.ndarray(shape, "i8", block.buf)
    array *= -1
    del array
    block.close()
def echo(connection):
    while (message := connection.recv()) != "end":
        connection.send(message.upper())
def fail(_):
    raise ValueError("as planned")
def note(entries, names, i):
    entries[i] = os.getpid()
    names.append(i)
""")
importlib.invalidate_caches()
if not {"", os.getcwd()} & set(sys.path): sys.path.append(os.getcwd())
import crew
'''

PROCESSES: tuple[Allowed, ...] = (
    *(
        Allowed(
            f"multiprocessing by {method}: Process, Pool, Queue, Pipe, Lock, Value and an error that comes back",
            _CREW
            + f'''
import multiprocessing
context = multiprocessing.get_context("{method}")
counter, lock = context.Value("i", 0), context.Lock()
adders = [context.Process(target=crew.add, args=(counter, lock, 200)) for _ in range(3)]
for process in adders: process.start()
for process in adders: process.join(60)
assert counter.value == 600 and [process.exitcode for process in adders] == [0] * 3
with context.Pool(2) as pool:
    assert pool.map(crew.square, range(100)) == [i * i for i in range(100)]
    assert sorted(pool.imap_unordered(crew.square, range(10), chunksize=3)) == [i * i for i in range(10)]
    assert len(set(pool.map(crew.whoami, range(8), chunksize=1))) >= 1
    assert pool.apply_async(crew.square, (7,)).get(60) == 49
    try:
        pool.map(crew.fail, [1])
        raise SystemExit("the error is lost")
    except ValueError as error:
        assert str(error) == "as planned"
queue = context.Queue()
producer = context.Process(target=crew.produce, args=(queue, 500)); producer.start()
assert sum(iter(queue.get, None)) == 124_750
producer.join(60)
ours, theirs = context.Pipe()
echoing = context.Process(target=crew.echo, args=(theirs,)); echoing.start()
ours.send("hello"); assert ours.recv() == "HELLO"
ours.send("end"); echoing.join(60); assert echoing.exitcode == 0
print("WORKS")
''',
            group=Group.SESSIONS,
            timeout=300,
        )
        for method in ("fork", "spawn", "forkserver")
    ),
    Allowed(
        "multiprocessing: a manager with dict, list and namespace",
        _CREW
        + """
import multiprocessing, os
for method in ("fork", "spawn"):
    context = multiprocessing.get_context(method)
    with context.Manager() as manager:
        entries, names, event = manager.dict(), manager.list(), manager.Event()
        workers = [context.Process(target=crew.note, args=(entries, names, i)) for i in range(3)]
        for worker in workers: worker.start()
        for worker in workers: worker.join(60)
        assert sorted(names) == [0, 1, 2] and len(set(entries.values())) == 3 and os.getpid() not in entries.values()
        space = manager.Namespace(); space.total = sum(names)
        event.set()
        assert space.total == 3 and event.is_set()
print("WORKS")
""",
        group=Group.SESSIONS,
        timeout=300,
    ),
    Allowed(
        "multiprocessing: shared memory, arrays, semaphores, barriers and conditions",
        _CREW
        + """
import multiprocessing
from multiprocessing import shared_memory
import numpy as np
block = shared_memory.SharedMemory(create=True, size=8 * 1_000_000)
array = np.ndarray((1000, 1000), "i8", block.buf); array[:] = 5
for method in ("fork", "spawn"):
    process = multiprocessing.get_context(method).Process(target=crew.negate, args=(block.name, (1000, 1000)))
    process.start(); process.join(60)
    assert process.exitcode == 0
assert (array == 5).all()
del array; block.close(); block.unlink()
shared = shared_memory.ShareableList(["a", 1, 2.5])
assert shared_memory.ShareableList(name=shared.shm.name)[2] == 2.5
shared.shm.close(); shared.shm.unlink()
context = multiprocessing.get_context("fork")
numbers, room = context.Array("d", 4), context.BoundedSemaphore(2)
barrier, condition = context.Barrier(2), context.Condition()
def fill(i):
    with room:
        numbers[i] = i / 2
    if i < 2: barrier.wait(30)
    with condition: condition.notify_all()
processes = [context.Process(target=fill, args=(i,)) for i in range(4)]
for process in processes: process.start()
for process in processes: process.join(60)
assert list(numbers) == [0, 0.5, 1, 1.5] and room.acquire(timeout=1)
print("WORKS")
""",
        group=Group.SESSIONS,
        timeout=300,
    ),
    Allowed(
        "concurrent.futures: processes and threads, with timeouts and errors",
        _CREW
        + """
import concurrent.futures as cf, multiprocessing, threading, time
for method in ("fork", "spawn", "forkserver"):
    with cf.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(crew.square, range(20), chunksize=5)) == [i * i for i in range(20)]
        done = [future.result() for future in cf.as_completed([pool.submit(crew.square, i) for i in range(4)])]
        assert sorted(done) == [0, 1, 4, 9]
        assert isinstance(pool.submit(crew.fail, 0).exception(60), ValueError)
with cf.ThreadPoolExecutor(8) as pool:
    at_once = threading.Barrier(8)
    assert sorted(pool.map(lambda _: at_once.wait(60), range(8))) == list(range(8))
    try:
        pool.submit(time.sleep, 1).result(timeout=0.05)
        raise SystemExit("no timeout")
    except cf.TimeoutError:
        pass
print("WORKS")
""",
        timeout=300,
    ),
    Allowed(
        "os.fork, pipes, exit statuses and signals to own children",
        """
import os, signal, time
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, b"from the child"); os._exit(7)
assert os.read(read, 100) == b"from the child" and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
child = os.fork()
if child == 0:
    time.sleep(60); os._exit(0)
os.kill(child, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], os.environ)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
group = os.fork()
if group == 0:
    os.setpgid(0, 0); os.fork(); time.sleep(60); os._exit(0)
while os.getpgid(group) != group: time.sleep(0.01)
os.killpg(group, signal.SIGKILL)
assert os.waitstatus_to_exitcode(os.waitpid(group, 0)[1]) == -9
handle = os.pidfd_open(os.getpid()); os.close(handle)
assert os.sched_getaffinity(0) and os.getpriority(os.PRIO_PROCESS, 0) >= 0
print("WORKS")
""",
        group=Group.SIGNALS,
    ),
    Allowed(
        "threads: 60 at once, locks, queues, timers, local data and a deadline",
        """
import queue, threading, time
from multiprocessing.pool import ThreadPool
lock, total, waiting = threading.RLock(), 0, threading.Barrier(60)
def add():
    global total
    waiting.wait(30)
    for _ in range(100):
        with lock: total += 1
threads = [threading.Thread(target=add) for _ in range(60)]
for thread in threads: thread.start()
for thread in threads: thread.join(30)
assert total == 6000
jobs, results = queue.Queue(5), []
def consume():
    while (job := jobs.get()) is not None: results.append(job * 2); jobs.task_done()
consumer = threading.Thread(target=consume, daemon=True); consumer.start()
for i in range(50): jobs.put(i)
jobs.join(); jobs.put(None)
assert results == [i * 2 for i in range(50)]
fired = threading.Event(); threading.Timer(0.1, fired.set).start()
assert fired.wait(5)
with ThreadPool(4) as pool: assert pool.map(len, ["a", "bb"]) == [1, 2]
threading.stack_size(1 << 20); big = threading.Thread(target=lambda: None); big.start(); big.join()
threading.stack_size(0)
print("WORKS")
""",
    ),
)
