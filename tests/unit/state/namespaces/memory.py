"""Weak references, and what looks at memory: buffers, views, arrays, foreign types."""

from tests.unit.state.namespaces.cases import case

_weak = "weak"

CASES = [
    case(
        "weak references",
        """
        import weakref


        class C: ...


        c, d = C(), C()
        ref, same, proxy, method = weakref.ref(c), weakref.ref(c), weakref.proxy(c), None
        dead = weakref.ref(C())
        called = []
        watched = weakref.ref(d, called.append)
        c.v = 1
        """,
        after="print(c.v)",
        either={
            "ref": (_weak, "print(ref() is c)"),
            "same": (_weak, "print(same() is c, same is weakref.ref(c))"),
            "proxy": (_weak, "c.v = 5\nprint(proxy.v)"),
            "dead": (_weak, "print(dead())"),
            "watched": (_weak, "del d\nprint(watched(), len(called))"),
        },
    ),
    case(
        "a tree whose children know their parent weakly",
        """
        import weakref


        class Node:
            def __init__(self, name, parent=None):
                self.name, self.children = name, []
                self.parent = parent and weakref.ref(parent)
                if parent:
                    parent.children.append(self)


        root = Node("root")
        leaf = Node("leaf", Node("middle", root))
        names = [child.name for child in root.children]
        """,
        after="print(names)",
        either={
            "root": (_weak, "print(root.children[0].parent() is root)"),
            "leaf": (_weak, "print(leaf.parent().name, leaf.parent().parent().name)"),
        },
    ),
    case(
        "containers of weak references",
        """
        import weakref


        class C:
            def m(self):
                return "m"


        kept, more = C(), C()
        values = weakref.WeakValueDictionary(a=kept, b=C(), c=more)
        keys = weakref.WeakKeyDictionary({kept: "kept", C(): "gone"})
        members = weakref.WeakSet([kept, C(), more])
        method = weakref.WeakMethod(kept.m)
        """,
        after="print(kept.m())",
        either={
            "values": (_weak, "print(sorted(values), values['a'] is kept)"),
            "keys": (_weak, "print(keys[kept], len(keys))"),
            "members": (_weak, "print(kept in members, len(members))"),
            "method": (_weak, "print(method()(), method().__self__ is kept)"),
        },
    ),
    case(
        "weak containers let go of what nobody else keeps",
        """
        import weakref


        class C: ...


        c = C()
        cache = weakref.WeakValueDictionary(c=c)
        group = weakref.WeakSet([c])
        """,
        after="print(type(c).__name__)",
        either={
            "cache": (_weak, "print(cache.get('c') is c)"),
            "group": (_weak, "print(len(group))\ndel c\nimport gc; gc.collect()\nprint(len(group))"),
        },
    ),
    case(
        "what is done when an object goes",
        """
        import weakref


        class C: ...


        gone, c = [], C()
        finalizer = weakref.finalize(c, gone.append, "c")
        """,
        after="print(gone)",
        either={"finalizer": ("weak|callback", "print(finalizer.alive)\ndel c\nprint(gone)")},
    ),
    case(
        "a byte array and views of it",
        """
        data = bytearray(b"abcdef")
        same, plain = data, bytes(data)
        whole, part, numbers = memoryview(data), memoryview(data)[2:4], memoryview(data).cast("H")
        """,
        after="""
        data[2] = ord("X")
        print(data, same is data, plain)
        """,
        either={
            "whole": ("memory", "print(whole[2], whole.readonly, whole.obj is data)"),
            "part": ("memory", "part[0] = ord('Y')\nprint(bytes(part), data)"),
            "numbers": ("memory", "print(numbers.shape, numbers[0])"),
        },
    ),
    case(
        "arrays of the standard library",
        """
        import array

        ints, floats, letters = array.array("q", [1, 2]), array.array("d", [0.5]), array.array("u", "añ")
        alias, empty, large = ints, array.array("b"), array.array("i", range(100_000))
        """,
        after="""
        alias.append(3)
        large[0] = 9
        print(ints, floats, letters, empty, ints is alias, sum(large), large.typecode)
        """,
    ),
    case(
        "a large byte array under two names and in a class",
        """
        class Page:
            def __init__(self, data):
                self.data = data


        data = bytearray(range(256)) * 1000
        page, pages = Page(data), [data, bytes(data)]
        """,
        after="""
        data[0] = 77
        data.extend(b"end")
        print(page.data is data is pages[0], page.data[0], pages[1][0], len(page.data))
        """,
    ),
    case(
        "numbers and arrays of C",
        """
        import ctypes

        number, letter, real = ctypes.c_int(5), ctypes.c_char(b"x"), ctypes.c_double(0.5)
        numbers, text = (ctypes.c_int * 3)(1, 2, 3), ctypes.create_string_buffer(b"abc", 8)
        alias, kept = numbers, [1]
        """,
        after="print(kept)",
        either={
            "number": (".", "number.value += 1\nprint(number.value, type(number))"),
            "letter": (".", "print(letter.value)"),
            "real": (".", "print(real.value)"),
            "numbers": (".", "numbers[0] = 9\nprint(list(numbers))"),
            "alias": (".", "print(list(alias), alias is numbers)"),
            "text": (".", "print(text.raw)"),
        },
    ),
    case(
        "structures and unions of C",
        """
        import ctypes


        class Point(ctypes.Structure):
            _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_short * 2)]

            def total(self):
                return self.x + sum(self.y) + extra


        class Both(ctypes.Union):
            _fields_ = [("i", ctypes.c_uint32), ("b", ctypes.c_ubyte * 4)]


        point, both, extra = Point(1, (2, 3)), Both(i=258), 0
        inner = [1]
        """,
        after="""
        inner.append(2)
        print(inner)
        """,
        either={
            "Point": (".", "print(ctypes.sizeof(Point), Point(5).x)"),
            "Both": (".", "print(ctypes.sizeof(Both))"),
            "point": (".", "extra = 10\nprint(point.x, list(point.y), point.total())"),
            "both": (".", "print(list(both.b))"),
        },
    ),
    case(
        "pointers, functions and libraries of C",
        """
        import ctypes

        value = ctypes.c_int(3)
        pointer, text, nothing = ctypes.pointer(value), ctypes.c_char_p(b"text"), ctypes.c_void_p(None)
        callback, library = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1), ctypes.CDLL(None)
        function, kept = library.strlen, ["kept"]
        """,
        after="print(kept)",
        missing={
            "pointer": "pointer",
            "text": "pointer",
            "nothing": "pointer",
            "callback": ".",
            "library": ".",
            "function": ".",
        },
        either={"value": (".", "print(value.value)")},
    ),
    case(
        "mapped memory, and memory that processes share",
        """
        import mmap
        from multiprocessing import shared_memory

        anonymous = mmap.mmap(-1, 4096)
        shared = shared_memory.SharedMemory(create=True, size=16)
        shared.unlink()
        kept = anonymous[:2]
        """,
        after="print(kept)",
        missing={"anonymous": "open file|mmap", "shared": "."},
    ),
    case(
        "frames and tracebacks",
        """
        import sys

        frame = sys._getframe()
        try:
            1 / 0
        except ZeroDivisionError as error:
            trace, kept = error.__traceback__, error
        """,
        after="print(repr(kept))",
        missing={"frame": "frame", "trace": "traceback"},
    ),
]
