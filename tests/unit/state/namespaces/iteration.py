"""What is half consumed: iterators, generators, coroutines."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "iterators half consumed",
        """
        import itertools

        it = iter([1, 2, 3])
        next(it)
        e = enumerate("abc")
        next(e)
        r = iter(range(5))
        next(r)
        c = itertools.count(3)
        next(c)
        z = zip([1, 2], "ab")
        next(z)
        m = map(str, [1, 2])
        next(m)
        """,
        after="print(list(it), list(e), list(r), next(c), list(z), list(m))",
    ),
    case(
        "an iterator and the list that it goes through",
        """
        items = [1, 2, 3]
        it, back = iter(items), reversed(items)
        next(it), next(back)
        alias = it
        """,
        after="""
        items.append(4)
        items[1] = "changed"
        print(next(alias), list(it), list(back))
        """,
    ),
    case(
        "one source, drawn from by several",
        """
        import itertools

        source = iter(range(10))
        pairs, first = zip(source, source), itertools.islice(source, 2)
        numbered = enumerate(source, start=100)
        next(pairs)
        """,
        after="print(next(first), next(numbered), next(pairs), list(first), list(source))",
    ),
    case(
        "the iterators of itertools",
        """
        import itertools as it
        import operator

        count, cycle, chain = it.count(5, 3), it.cycle("ab"), it.chain([1], [2, 3])
        sums, combos = it.accumulate([1, 2, 3, 4], operator.mul), it.combinations("abcd", 2)
        product, perms, repeat = it.product([0, 1], repeat=2), it.permutations([1, 2, 3]), it.repeat("r", 3)
        skipped, taken = it.dropwhile(lambda v: v < low, [1, 5, 1]), it.takewhile(lambda v: v < low, [1, 2, 9])
        zipped, starred, picked = (
            it.zip_longest("ab", [1]),
            it.starmap(pow, [(2, 3), (3, 2)]),
            it.compress("abc", [1, 0, 1]),
        )
        pairs, flat = it.pairwise([1, 2, 3]), it.chain.from_iterable([[1], [2]])
        low = 3
        for each in (count, cycle, chain, sums, combos, product, perms, repeat, zipped, starred, picked, flat):
            next(each)
        """,
        after="""
        low = 4
        print(next(count), list(it.islice(cycle, 3)), list(chain), list(sums), list(combos), list(product), list(perms))
        print(list(repeat), list(skipped), list(taken), list(zipped), list(starred), list(picked), list(flat))
        """,
        either={"pairs": ("pairwise", "print(list(pairs))")},
    ),
    case(
        "two that were teed, and groups",
        """
        import itertools

        left, right = itertools.tee([1, 2, 3])
        next(left)
        groups = itertools.groupby(["a1", "a2", "b1", "c1"], key=lambda s: s[0] + mark)
        mark = "-"
        key, members = next(groups)
        next(members)
        """,
        after="""
        print(next(left), list(right), list(left))
        """,
        either={
            "groups": ("groupby|iterator", "print(key, [k for k, _ in groups])"),
            "members": ("group|iterator", "print(list(members))"),
        },
    ),
    case(
        "iterators of texts, bytes, mappings and sets",
        """
        text, data, numbers = iter("añb"), iter(b"xyz"), iter(range(0, 10, 3))
        keys, values, pairs = iter({"a": 1, "b": 2}), iter({"a": [1]}.values()), iter({"a": 1, "b": 2}.items())
        members, backwards = iter({5}), reversed({"a": 1, "b": 2})
        for each in (text, data, numbers, keys, pairs, backwards):
            next(each)
        """,
        after="""
        print(
            list(text),
            list(data),
            list(numbers),
            list(keys),
            list(values),
            list(pairs),
            list(members),
            list(backwards),
        )
        """,
    ),
    case(
        "maps, filters and calls until an end, over functions of the session",
        """
        scale = 1
        mapped = map(lambda v, w: (v * scale, w), [1, 2, 3], "abc")
        kept = filter(lambda v: v > low, [1, 5, 2, 6])
        low, feed = 2, [1, 2, 0, 3]
        until = iter(lambda: feed.pop(0), 0)
        next(mapped), next(kept), next(until)
        """,
        after="""
        scale, low = 10, 5
        print(list(mapped), list(kept), list(until), feed)
        """,
    ),
    case(
        "iterators of the session's own",
        """
        class Countdown:
            def __init__(self, n):
                self.n = n

            def __iter__(self):
                return self

            def __next__(self):
                if self.n <= stop:
                    raise StopIteration
                self.n -= 1
                return self.n


        class Sequence:
            def __getitem__(self, i):
                if i > 3:
                    raise IndexError
                return i * 10


        down, stop = Countdown(5), 0
        steps, over = zip(down, "abc"), iter(Sequence())
        next(steps), next(over)
        """,
        after="""
        stop = 1
        print(next(steps), down.n, list(down), list(over))
        """,
    ),
    case(
        "iterators at their end",
        """
        done, enumerated = iter([]), enumerate([])
        items = []
        spent = iter(items)
        for _ in spent:
            pass
        """,
        after="""
        items.append(1)
        print(list(done), list(enumerated), list(spent))
        """,
    ),
    case(
        "generators, also inside of other things",
        """
        def walk(n):
            yield from range(n)


        started, fresh, written = walk(3), walk(3), (v * 2 for v in [1])
        next(started)
        mapped, held = map(str, walk(2)), {"g": [walk(1)]}
        plain = [1]
        """,
        after="print(list(walk(2)), plain)",
        missing=dict.fromkeys(("started", "fresh", "written", "mapped", "held"), "generator"),
    ),
    case(
        "coroutines and asynchronous generators",
        """
        async def co():
            return 1


        async def agen():
            yield 1


        waiting, stream, step = co(), agen(), agen().__anext__()
        plain = co
        """,
        after="""
        import asyncio

        print(asyncio.run(co()), plain is co)
        """,
        missing={"waiting": "coroutine", "stream": "asynchronous generator", "step": "async"},
    ),
    case(
        "matches that are still being found, and directories being read",
        """
        import os, re

        found, entries = re.finditer("a", "aaa"), os.scandir(".")
        plain = [m.start() for m in re.finditer("a", "aaa")]
        """,
        after="print(plain)",
        missing={"found": "callable_iterator|Scanner|scanner", "entries": "ScandirIterator|scandir"},
    ),
    case(
        "an object that keeps a generator within",
        """
        class Reader:
            def __init__(self, rows):
                self.rows = rows
                self.stream = (r * factor for r in rows)


        rows, factor = [1, 2], 2
        reader = Reader(rows)
        readers = {"r": reader}
        """,
        after="""
        rows.append(3)
        print(list(Reader(rows).stream))
        """,
        missing={"reader": "generator", "readers": "generator"},
    ),
    case(
        "an iterator within the list that it goes through",
        """
        items, kept = [1, 2, 3], ["kept"]
        it = iter(items)
        next(it)
        items.append(it)
        """,
        after="print(kept)",
        either={
            "items": ("itself|iterator", "print(items[:3], len(items))"),
            "it": ("itself|iterator", "print(next(it), items[3] is it)"),
        },
    ),
]
