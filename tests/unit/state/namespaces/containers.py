"""Containers, what they share, and how deeply they nest."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "containers",
        """
        l = [1, [2, {3: {4, 5}}]]
        t = (l, l)
        fs = frozenset({1, 2})
        by = bytearray(b"ab")
        from collections import deque, Counter, OrderedDict

        dq = deque([1, 2], maxlen=2)
        co = Counter("aab")
        od = OrderedDict(b=1, a=2)
        """,
        after="""
        l[1].append(9)
        print(t[0] is t[1] is l, t, sorted(fs), by, dq, dq.maxlen, co.most_common(), od)
        """,
    ),
    case(
        "names that share one object",
        """
        a = [1]
        b = a
        c = {"k": a}
        d = [c, c]
        """,
        after="""
        a.append(2)
        d[0]["n"] = 1
        print(a, b, c, d, a is b is c["k"], d[0] is c)
        """,
    ),
    case(
        "an object in itself",
        """
        a = []
        a.append(a)
        d = {}
        d["d"] = d
        d["a"] = a
        """,
        after='print(a[0] is a, d["d"] is d, d["a"] is a)',
    ),
    case(
        "deep nesting within reason",
        """
        deep = None
        for i in range(500):
            deep = [deep, i]
        """,
        after="""
        n = 0
        while deep is not None:
            deep, last = deep
            n += 1
        print(n, last)
        """,
    ),
    case(
        "sets in sets, and sets of tuples",
        """
        inner = frozenset({1, 2})
        nested = frozenset({inner, frozenset({inner})})
        pairs = {(1, "a"), (2, ("b", inner))}
        """,
        after="""
        print(inner in nested, frozenset({inner}) in nested, (2, ("b", inner)) in pairs, len(pairs))
        pairs.add((1, "a"))
        print(len(pairs), hash(nested) == hash(frozenset({inner, frozenset({inner})})))
        """,
    ),
    case(
        "the order of a dictionary",
        """
        d = {"b": 1, "a": 2, "c": 3}
        del d["b"]
        d["b"] = 4
        d["a"] = 5
        """,
        after="""
        print(list(d), d.popitem(), list(reversed(d)))
        """,
    ),
    case(
        "keys of many kinds",
        """
        def f(): ...


        class K: ...


        key = K()
        d = {1: "int", "1": "str", (1, 2): "tuple", None: "none", b"b": "bytes", frozenset(): "set", f: "function"}
        d |= {K: "class", key: "object", int: "type", ...: "dots", 2.5: "float", 1j: "complex", len: "builtin"}
        """,
        after="""
        print([d[k] for k in (True, 1.0, "1", (1, 2), None, b"b", frozenset(), f, K, key, int, ..., 2.5, 1j, len)])
        """,
    ),
    case(
        "one object under a thousand names",
        """
        shared = {"n": 0}
        for i in range(1000):
            globals()[f"n{i}"] = shared if i % 2 else [shared, i]
        """,
        after="""
        n999["n"] += 1
        print(n1 is shared is n0[0] is n998[0], n500[1], shared)
        """,
    ),
    case(
        "tuples and sets that lead back to themselves",
        """
        t = ([],)
        t[0].append(t)


        class N: ...


        n = N()
        s = {n}
        n.owner = s
        n.pair = (n, s)
        """,
        after="""
        print(t[0][0] is t, n.owner is s, n in s, n.pair[0] is n, next(iter(s)) is n)
        """,
    ),
    case(
        "keys with a hash of their own",
        """
        class K:
            def __init__(self, v):
                self.v = v

            def __hash__(self):
                return hash(self.v)

            def __eq__(self, other):
                return self.v == other.v


        d = {K(1): "one", K("two"): "two"}
        s = {K(3)}
        """,
        after="print(d[K(1)], d[K('two')], K(3) in s, K(1) in s)",
    ),
    case(
        "a key that leads back to its dictionary",
        """
        class K:
            def __hash__(self):
                return hash(self.v)


        k = K()
        k.v = 5
        k.home = {k: "here"}
        other = [1]
        """,
        after="""
        other.append(2)
        print(other)
        """,
        either={"k": ("AttributeError|hash", "print(k.home[k], k.v)")},
    ),
    case(
        "a list 20,000 deep",
        """
        deep = []
        for i in range(20_000):
            deep = [deep]
        inner = [1]
        """,
        after="print(inner)",
        either={
            "deep": (
                "too deeply nested",
                """
                n, at = 0, deep
                while at:
                    (at,) = at
                    n += 1
                print(n)
                """,
            )
        },
    ),
    case(
        "a dictionary 20,000 deep, with a name for its innermost",
        """
        deep = innermost = {}
        for i in range(20_000):
            deep = {"next": deep, "i": i}
        """,
        after="""
        innermost["found"] = True
        print(innermost)
        """,
        either={
            "deep": (
                "too deeply nested",
                """
                n, at = 0, deep
                while "next" in at:
                    at = at["next"]
                    n += 1
                print(n, at is innermost)
                """,
            )
        },
    ),
    case(
        "20,000 linked nodes, forwards and backwards",
        """
        class Node:
            def __init__(self, value, before):
                self.value, self.before, self.next = value, before, None


        head = last = Node(0, None)
        for i in range(1, 20_000):
            last.next = last = Node(i, last)
        """,
        after="print(Node(1, None).value)",
        either={
            "head": (
                "too deeply nested",
                """
                n, at = 0, head
                while at.next is not None:
                    n, at = n + at.value, at.next
                print(n, at.value, at.before.next is at)
                """,
            ),
            "last": ("too deeply nested", "print(last.value, last.before.value)"),
        },
    ),
    case(
        "containers of the standard library",
        """
        from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque

        base = {"a": 1}
        chain = ChainMap({"b": 2}, base)
        order = OrderedDict(x=1, y=2, z=3)
        order.move_to_end("x")
        ring = deque([1, 2, 3], maxlen=3)
        ring.rotate()
        groups = defaultdict(list, k=[1])
        user, users, text = UserDict(a=base), UserList([base]), UserString("abc")
        votes = Counter(a=3, b=-1)
        """,
        after="""
        base["c"] = 3
        ring.append(4)
        groups["new"].append(2)
        order.move_to_end("y", last=False)
        print(chain["c"], chain.maps[1] is base, list(order), ring, ring.maxlen, groups, user["a"] is base)
        print(users[0] is base, text.upper(), +votes, votes.total())
        """,
    ),
    case(
        "a heap, and a sorted list that bisect keeps",
        """
        import bisect, heapq

        heap = []
        for v in (5, 1, 4, 2):
            heapq.heappush(heap, (v, [v]))
        table = [1, 3, 5]
        bisect.insort(table, 4)
        best = heap[0]
        """,
        after="""
        heapq.heappush(heap, (0, "first"))
        bisect.insort(table, 2)
        print([heapq.heappop(heap) for _ in range(3)], table, best)
        """,
    ),
    case(
        "a graph with a table of its nodes",
        """
        nodes = {name: {"name": name, "edges": []} for name in "abcd"}
        for left, right in ("ab", "bc", "ca", "cd"):
            nodes[left]["edges"].append(nodes[right])
        start, seen = nodes["a"], [nodes["c"]]
        """,
        after="""
        nodes["b"]["name"] = "B"
        at, path = start, []
        for _ in range(7):
            path.append(at["name"])
            at = at["edges"][0] if at["edges"] else start
        print(path, seen[0]["edges"][1] is nodes["d"])
        """,
    ),
    case(
        "defaultdict with a lambda",
        """
        from collections import defaultdict

        d = defaultdict(lambda: base)
        base = 1
        d["a"]
        n = defaultdict(lambda: defaultdict(int))
        n["x"]["y"] += 1
        """,
        after="""
        base = 5
        print(d["b"], dict(d), n["q"]["r"], n["x"]["y"])
        """,
    ),
    case(
        "views of dictionaries",
        """
        from collections import OrderedDict
        from types import MappingProxyType

        d = {"a": 1}
        k, v, i = (d.keys(), d.values(), d.items())
        o = OrderedDict(x=1)
        ok = o.keys()
        proxy = MappingProxyType(d)
        """,
        after="""
        d["b"] = 2
        o["y"] = 2
        print(k, v, i, ok, proxy, type(k), k.mapping["b"])
        """,
    ),
    case(
        "marks that are known by their identity",
        """
        import datetime, decimal, fractions, pathlib, re, uuid


        class Mark:
            def __eq__(self, other):
                return True

            __hash__ = None


        MISSING, MARK, EMPTY, SET = object(), Mark(), (None,), frozenset({1})
        values = [
            decimal.Decimal(1),
            datetime.date(2025, 1, 1),
            datetime.timedelta(1),
            pathlib.PurePath("a"),
            uuid.UUID(int=1),
            fractions.Fraction(1, 2),
            re.compile("a"),
            range(3),
            slice(3),
            type("T", (), {})(),
        ]
        same = list(values)


        def pick(d, k, default=MISSING):
            return d.get(k, MISSING) is MISSING, default is MISSING, MARK in [MARK], EMPTY is empty, SET is table[1]


        empty, table = EMPTY, {0: MISSING, 1: SET, 2: MARK}
        """,
        after="""
        print(pick({}, "k"), pick(table, 0), table[2] is MARK)
        print([a is b for a, b in zip(values, same)])
        """,
    ),
    case(
        "what is shared by way of functions, classes and their parts",
        """
        import enum
        import functools
        import types
        from dataclasses import dataclass, field

        shared = {"n": 1}


        def closed(over):
            return lambda: over


        class Color(enum.Enum):
            RED = shared


        @dataclass
        class D:
            common = shared
            own: dict = field(default_factory=lambda: shared)


        class P:
            there = property(lambda self, it=shared: it)


        def noted(): ...


        noted.note = shared
        get, fixed, bound, proxy = (
            closed(shared),
            functools.partial(dict, shared),
            shared.get,
            types.MappingProxyType(shared),
        )
        error, d = ValueError(shared), D()
        table = [get, fixed, error]
        """,
        after="""
        shared["n"] = 2
        print(get() is shared, Color.RED.value is shared, D.common is shared, d.own is shared, D().own is shared)
        print(
            P().there is shared,
            noted.note is shared,
            fixed.args[0] is shared,
            bound("n"),
            proxy["n"],
            error.args[0] is shared,
        )
        print(table[0] is get, table[1] is fixed, table[2] is error)
        """,
    ),
]
