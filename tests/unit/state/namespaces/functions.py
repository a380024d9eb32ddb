"""Functions: what they see, what they keep, and what wraps them."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "a function that sees later globals",
        """
        x = 1


        def f():
            return x


        g = f
        """,
        after="""
        print(f())
        x = 2
        print(f(), f is g, g(), f.__globals__ is globals())
        """,
    ),
    case(
        "a function that writes a global",
        """
        count = 0


        def bump():
            global count
            count += 1


        bump()
        """,
        after="""
        bump()
        print(count)
        count = 10
        bump()
        print(count)
        """,
    ),
    case(
        "functions that call each other, and one that is defined later",
        """
        def even(n):
            return n == 0 or odd(n - 1)


        def odd(n):
            return n != 0 and even(n - 1)


        def later():
            return helper()
        """,
        after="""
        def helper():
            return "made afterwards"


        print(even(10), odd(7), later())


        def odd(n):
            return "new"


        print(even(3))
        """,
    ),
    case(
        "recursion",
        """
        def fact(n):
            return 1 if n < 2 else n * fact(n - 1)
        """,
        after="print(fact(20), fact.__qualname__)",
    ),
    case(
        "lambdas, defaults, keyword defaults, annotations, attributes",
        '''
        k = 3
        f = lambda v, d=[1]: (v * k, d)


        def g(a: int, *, b: "str" = "q") -> list[int]:
            """says so"""
            return [a, b]


        g.note = "kept"
        ''',
        after="""
        k = 4
        f(1)[1].append(2)
        print(f(2), g(1), g.__doc__, g.__annotations__, g.note, g.__kwdefaults__)
        """,
    ),
    case(
        "closures that share a variable",
        """
        def make():
            n = 0

            def inc():
                nonlocal n
                n += 1

            def get():
                return n

            return (inc, get)


        inc, get = make()
        inc()
        """,
        after="""
        inc()
        inc()
        print(get())
        """,
    ),
    case(
        "a closure that calls itself, and an empty cell",
        """
        def make():

            def inner(n):
                return 0 if n == 0 else 1 + inner(n - 1)

            return inner


        f = make()


        def hollow():

            def g():
                return late

            if False:
                late = 1
            return g


        h = hollow()
        """,
        after="""
        print(f(5), f.__closure__[0].cell_contents is f)
        try:
            h()
        except NameError as e:
            print(e)
        """,
    ),
    case(
        "generators' functions, coroutines' functions",
        """
        def gen():
            yield x


        async def co():
            return x


        x = 1
        """,
        after="""
        import asyncio

        x = 3
        print(list(gen()), asyncio.run(co()))
        """,
    ),
    case(
        "a default that a name shares",
        """
        box = []


        def collect(a, /, b=box, *more, c=box, **named):
            b.append(a)
            return len(b), b is c, more, named
        """,
        after="""
        box.append("first")
        print(collect(1), collect(2, box, 3, c=box, d=4), box, collect.__defaults__[0] is box)
        """,
    ),
    case(
        "functions in containers see later globals",
        """
        scale = 1
        table = {"double": lambda v: v * 2 * scale, "chain": [lambda v: table["double"](v) + offset]}
        """,
        after="""
        scale, offset = 10, 1
        print(table["double"](3), table["chain"][0](3))
        """,
    ),
    case(
        "closures over the variable of a loop",
        """
        late = [lambda: i for i in range(3)]
        early = [lambda i=i: i for i in range(3)]


        def counters():
            made = []
            for step in (1, 10):
                total = 0

                def add():
                    nonlocal total
                    total += step
                    return total

                made.append(add)
            return made


        adders = counters()
        adders[0]()
        """,
        after="print([f() for f in late], [f() for f in early], [f() for f in adders + adders])",
    ),
    case(
        "functions in functions in functions",
        """
        def outer():
            trace = []

            def middle():
                n = 0

                def inner():
                    nonlocal n
                    n += 1
                    trace.append(n)
                    return trace

                return inner

            return middle(), middle(), trace


        one, two, trace = outer()
        one()
        """,
        after="""
        one()
        two()
        print(trace, one() is trace is two(), trace)
        """,
    ),
    case(
        "a chain of closures, each around the one before",
        """
        def wrap(f):
            return lambda v: f(v) + step


        step, chain = 1, lambda v: v
        for _ in range(200):
            chain = wrap(chain)
        """,
        after="""
        step = 2
        print(chain(5))
        """,
    ),
    case(
        "functions that import within themselves",
        """
        def lazy(v):
            import fractions
            from decimal import Decimal as D

            return fractions.Fraction(v), D(v)
        """,
        after="print(lazy('0.5'), 'fractions' in globals())",
    ),
    case(
        "asynchronous functions and generators of the session",
        """
        async def numbers(n):
            for i in range(n):
                yield i * factor


        async def total(n):
            return sum([v async for v in numbers(n)])


        class Resource:
            async def __aenter__(self):
                return "open"

            async def __aexit__(self, *error):
                log.append("closed")


        factor, log = 1, []
        """,
        after="""
        import asyncio, inspect

        factor = 2


        async def use():
            async with Resource() as r:
                return r, await total(4)


        print(asyncio.run(use()), log, inspect.isasyncgenfunction(numbers), inspect.iscoroutinefunction(total))
        """,
    ),
    case(
        "a dispatcher that the cells fill by name",
        """
        handlers = {}


        def on(event):
            def register(f):
                handlers.setdefault(event, []).append(f)
                return f

            return register


        @on("open")
        @on("close")
        def note(event):
            seen.append(event)


        seen = []
        """,
        after="""
        @on("open")
        def other(event):
            seen.append(event.upper())


        for event in handlers:
            for handler in handlers[event]:
                handler(event)
        print(seen, handlers["close"][0] is note)
        """,
    ),
]
