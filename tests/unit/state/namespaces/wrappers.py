"""What wraps functions, and functions made in other ways than by `def`."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "a function made with exec on globals of its own",
        """
        g = {"x": 1}
        exec("def f(): return x, len(str(x))", g)
        f = g["f"]
        """,
        after="""
        g["x"] = 22
        print(f(), f is g["f"], f.__globals__ is g)
        """,
    ),
    case(
        "the code of a function, without it and in another",
        """
        import types


        def f(a):
            return a + k


        code = compile("k * 2", "<typed>", "eval")
        twin = types.FunctionType(f.__code__, globals(), "twin")
        k = 1
        """,
        after="""
        k = 7
        print(eval(code), twin(1), twin.__name__, f.__code__ is twin.__code__)
        """,
    ),
    case(
        "a function that was given another signature and code",
        """
        import inspect


        def f(*a): ...


        def g(v):
            return v, k


        f.__signature__ = inspect.Signature([inspect.Parameter("x", inspect.Parameter.POSITIONAL_ONLY)])
        f.__code__ = g.__code__
        k = "global"
        """,
        after="print(inspect.signature(f), f(1), f.__name__)",
    ),
    case(
        "decorated functions",
        """
        import functools

        calls = []


        def logged(fn):

            @functools.wraps(fn)
            def inner(*a):
                calls.append(fn.__name__)
                return fn(*a)

            return inner


        @logged
        def f(a):
            return a + 1


        f(1)
        """,
        after="print(f(2), calls, f.__name__, f.__wrapped__(5))",
    ),
    case(
        "a function wrapped as a library's",
        """
        import functools, statistics


        @functools.wraps(statistics.mean)
        def mean(v):
            return ("mine", scale)


        scale = 1
        """,
        after="""
        scale = 2
        print(mean([1]), mean.__module__)
        """,
    ),
    case(
        "a function that a library made",
        """
        import statistics, operator
        from functools import singledispatchmethod
        from contextlib import contextmanager


        @contextmanager
        def cm():
            log.append("in")
            yield 1
            log.append("out")


        log = []
        get = operator.itemgetter(1)
        """,
        after="""
        with cm() as v:
            log.append(v)
        print(log, get("ab"))
        """,
    ),
    case(
        "decorators with arguments, one on another",
        """
        import functools


        def times(n):
            def around(f):
                @functools.wraps(f)
                def inner(*a, **k):
                    inner.calls += 1
                    return [f(*a, **k) for _ in range(n)]

                inner.calls = 0
                return inner

            return around


        @times(2)
        @times(1)
        def f(v, *, k=0):
            "doc"
            return v + k + base


        base = 1
        f(1)
        """,
        after="""
        base = 10
        print(f(1, k=2), f.calls, f.__wrapped__.calls, f.__wrapped__.__wrapped__(0), f.__doc__)
        """,
    ),
    case(
        "context managers of functions and classes, and one that was used",
        """
        import contextlib

        log = []


        @contextlib.contextmanager
        def tagged(name):
            log.append(f"<{name}>")
            try:
                yield name.upper()
            finally:
                log.append(f"</{name}>")


        class Timer(contextlib.ContextDecorator):
            def __enter__(self):
                log.append("start")
                return self

            def __exit__(self, *error):
                log.append("stop")


        timer = Timer()
        suppress = contextlib.suppress(KeyError)
        with timer, tagged("used"):
            pass
        """,
        after="""
        @timer
        def f():
            with tagged("b") as name, suppress:
                log.append(name)
                {}["k"]


        f()
        print(log)
        """,
    ),
]
