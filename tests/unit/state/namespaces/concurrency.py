"""Locks, queues, threads, processes, event loops, and variables of contexts."""

from tests.unit.state.namespaces.cases import case

_held = "lock|RLock|pickle|thread"

CASES = [
    case(
        "locks that are free, and what is built on them",
        """
        import threading, queue

        lock = threading.Lock()
        r = threading.RLock()
        e = threading.Event()
        e.set()
        q = queue.Queue()
        q.put(1)


        class Safe:
            def __init__(self):
                self.lock = lock
                self.n = 0

            def up(self):
                with self.lock:
                    self.n += 1


        s = Safe()
        """,
        after="""
        s.up()
        with lock, r:
            pass
        print(s.n, s.lock is lock, e.is_set(), q.get())
        """,
    ),
    case(
        "events, semaphores, conditions, barriers",
        """
        import threading

        lock = threading.Lock()
        is_set, clear, counted = threading.Event(), threading.Event(), threading.Semaphore(3)
        bounded, condition, barrier = threading.BoundedSemaphore(2), threading.Condition(lock), threading.Barrier(1)
        is_set.set()
        counted.acquire()
        names = [is_set, lock]
        """,
        after="""
        print(names[0] is is_set, names[1] is lock)
        """,
        either={
            "is_set": (_held, "print(is_set.is_set(), is_set.wait(0))"),
            "clear": (_held, "print(clear.is_set(), clear.wait(0.001))"),
            "counted": (_held, "print([counted.acquire(blocking=False) for _ in range(3)])"),
            "bounded": (_held, "print([bounded.acquire(blocking=False) for _ in range(3)])"),
            "condition": (
                _held,
                """
                with condition:
                    print(lock.locked(), condition.wait(0.001))
                print(lock.locked())
                """,
            ),
            "barrier": (_held, "print(barrier.wait(1), barrier.parties)"),
        },
    ),
    case(
        "what each thread has for itself",
        """
        import threading

        local = threading.local()
        local.v = [1]
        inner = local.v
        """,
        after="print(inner)",
        either={"local": ("local", "print(local.v is inner)")},
    ),
    case(
        "queues of threads",
        """
        import queue

        item = [1]
        fifo, lifo, ordered, simple = (
            queue.Queue(maxsize=3),
            queue.LifoQueue(),
            queue.PriorityQueue(),
            queue.SimpleQueue(),
        )
        for each in (fifo, lifo, simple):
            each.put(item)
            each.put(2)
        ordered.put((2, "b"))
        ordered.put((1, "a"))
        del each
        """,
        after="""
        item.append("more")
        print(item)
        """,
        either={
            "fifo": (_held, "print(fifo.get() is item, fifo.qsize(), fifo.maxsize, fifo.unfinished_tasks)"),
            "lifo": (_held, "print(lifo.get(), lifo.get() is item)"),
            "ordered": (_held, "print(ordered.get(), ordered.get(), ordered.empty())"),
            "simple": ("SimpleQueue", "print(simple.get() is item, simple.qsize())"),
        },
    ),
    case(
        "what waits in asyncio",
        """
        import asyncio

        queue, event, lock, semaphore = asyncio.Queue(), asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2)
        item = [1]
        queue.put_nowait(item)
        event.set()
        """,
        after="print(item)",
        either={
            "queue": ("asyncio|pickle|lock", "print(queue.get_nowait() is item, queue.empty())"),
            "event": ("asyncio|pickle|lock", "print(event.is_set(), asyncio.run(event.wait()))"),
            "lock": ("asyncio|pickle|lock", "print(lock.locked(), asyncio.run(lock.acquire()), lock.locked())"),
            "semaphore": ("asyncio|pickle|lock", "print(asyncio.run(semaphore.acquire()), semaphore._value)"),
        },
    ),
    case(
        "loops, futures and tasks of asyncio",
        """
        import asyncio


        async def work():
            return 1


        loop = asyncio.new_event_loop()
        future, task = loop.create_future(), loop.create_task(work())
        done = loop.create_future()
        done.set_result([1])
        kept = done.result()
        """,
        after="print(kept, asyncio.run(work()))",
        missing={"loop": "event loop", "future": "future", "task": "task", "done": "future"},
    ),
    case(
        "threads, timers, pools and what they have yet to give",
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor

        results = []
        over = threading.Thread(target=results.append, args=(1,))
        over.start()
        over.join()
        never, timer, me = threading.Thread(target=print), threading.Timer(100, print), threading.current_thread()
        pool = ThreadPoolExecutor(1)
        given = pool.submit(pow, 2, 3)
        eight = given.result()
        """,
        after="print(results, eight)",
        missing={
            "over": "thread",
            "never": "thread",
            "timer": "thread",
            "me": "thread",
            "pool": "pool",
            "given": "result",
        },
    ),
    case(
        "a thread that goes on while the state is saved",
        """
        import threading

        halt, ticks = threading.Event(), []


        def tick():
            while not halt.wait(0.001):
                ticks.append(len(ticks))


        worker = threading.Thread(target=tick, daemon=True)
        worker.start()
        numbers = {"n": 1}
        """,
        after="""
        seen = list(ticks)
        print(seen == list(range(len(seen))), numbers)
        """,
        missing={"worker": "thread"},
        either={"halt": (_held, "print(halt.is_set())")},
    ),
    case(
        "locks that are held",
        """
        import threading

        lock, again, free = threading.Lock(), threading.RLock(), threading.Lock()
        lock.acquire()
        again.acquire()


        class Guarded:
            def __init__(self, lock):
                self.lock = lock


        guarded, open_one = Guarded(lock), Guarded(free)
        """,
        after="print(free.acquire(blocking=False), open_one.lock is free, open_one.lock.locked())",
        missing={"lock": "held", "again": "held", "guarded": "held"},
    ),
    case(
        "processes and what they share",
        """
        import multiprocessing, subprocess, sys

        process = subprocess.Popen([sys.executable, "-c", "0"], stdout=subprocess.PIPE)
        process.wait()
        context = multiprocessing.get_context("fork")
        child, pipe, queue = context.Process(target=print), context.Pipe(), context.Queue()
        shared, event = context.Value("i", 3), context.Event()
        code = process.returncode
        """,
        after="print(code)",
        missing={"process": "process", "child": "process", "pipe": ".", "queue": ".", "shared": ".", "event": "."},
        either={"context": ("pickle|load", "print(context.get_start_method())")},
    ),
    case(
        "sockets, selectors and servers",
        """
        import selectors, socket, ssl

        left, right = socket.socketpair()
        selector, secure = selectors.DefaultSelector(), ssl.create_default_context()
        selector.register(left, selectors.EVENT_READ)
        address = ("127.0.0.1", 80)
        both = [address, left]
        """,
        after="print(address)",
        missing={
            "left": "socket",
            "right": "socket",
            "both": "socket",
            "selector": "open file|socket|poll",
            "secure": "SSL|ssl",
        },
    ),
    case(
        "variables of a context",
        """
        import contextvars

        plain = ["plain"]
        level = contextvars.ContextVar("level", default=plain)
        token = level.set(["set"])
        context = contextvars.copy_context()


        def now():
            return level.get()
        """,
        after="print(plain, now.__name__)",
        either={
            "level": ("ContextVar|context variable", "print(now(), level.name)"),
            "token": ("Token|token|Context", "level.reset(token)\nprint(level.get() is plain)"),
            "context": ("Context", "print(context.run(now))"),
            "now": ("ContextVar|context variable", "print(now.__name__)"),
        },
    ),
    case(
        "connections to databases",
        """
        import sqlite3

        db = sqlite3.connect(":memory:")
        cursor = db.execute("select 1 as one, 2 as two")
        db.row_factory = sqlite3.Row
        row = db.execute("select 3 as three").fetchone()
        rows = cursor.fetchall()
        holder = {"rows": rows, "db": db}
        """,
        after="print(rows)",
        missing={"db": "database connection", "cursor": "database connection", "holder": "database connection"},
        either={"row": ("Row", "print(row['three'], row.keys())")},
    ),
]
