"""Functions with caches."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "functions with a cache",
        """
        from functools import lru_cache, cache


        @lru_cache(maxsize=7)
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)


        alias = fib
        """,
        after="print(fib(30), alias is fib, fib.cache_parameters(), fib.__name__, fib.__wrapped__(3))",
    ),
    case(
        "caches of methods and of recursive functions",
        """
        import functools


        class C:
            @functools.lru_cache(maxsize=None, typed=True)
            def square(self, n):
                return n * n * factor

            @staticmethod
            @functools.cache
            def cube(n):
                return n**3


        c, factor = C(), 1
        c.square(2)


        @functools.cache
        def ways(n):
            return 1 if n < 2 else ways(n - 1) + ways(n - 2)


        ways(30)
        ways.note = "kept"
        """,
        after="""
        print(c.square(3), C.cube(3), ways(80), ways.note, C.square.cache_parameters(), ways.cache_parameters())
        ways.cache_clear()
        """,
    ),
    case(
        "a cache made by hand",
        """
        cache, misses = {}, []


        def slow(n, _cache=cache):
            if n not in _cache:
                misses.append(n)
                _cache[n] = [n]
            return _cache[n]


        first = slow(1)
        """,
        after="""
        slow(1).append("more")
        slow(2)
        print(misses, first, cache, slow(1) is first)
        """,
    ),
]
