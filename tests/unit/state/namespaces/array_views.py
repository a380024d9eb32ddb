"""Arrays that look at one another's memory: they go on doing so."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "slices, columns and turned views",
        """
        import numpy as np

        a = np.arange(12.0).reshape(3, 4)
        part, column, turned, back, flat = a[1:, ::2], a[:, 1], a.T, a[::-1], a.reshape(-1)
        same, new = a[:], a[None]
        """,
        after="""
        a[1, 2], column[0], turned[0, 2], flat[5] = 100, 200, 300, 400
        print(a, part, column, back, same, new.shape)
        print(
            [np.shares_memory(a, v) for v in (part, column, turned, back, flat, same, new)],
            part.base is a,
            turned.flags.f_contiguous,
        )
        """,
    ),
    case(
        "a view of a view, and one whose base has no name",
        """
        import numpy as np

        base = np.arange(10)
        inner = base[2:8][1:4]
        again, hidden = base[3:6], np.arange(100, 110)[3:6]
        rows = [row for row in np.arange(6).reshape(2, 3)]
        del base
        """,
        after="""
        inner[0], hidden[1], rows[0][2] = 77, 88, 99
        print(inner, again, np.shares_memory(inner, again), hidden, rows)
        """,
    ),
    case(
        "views in containers and objects, with and without their base",
        """
        import numpy as np


        class Grid:
            def __init__(self, n):
                self.cells = np.zeros((n, n))
                self.edge, self.diagonal = self.cells[0], self.cells.ravel()[:: n + 1]


        grid = Grid(3)
        views = {"edge": grid.edge, "cell": grid.cells[1:2, 1:2]}
        halves = np.array_split(np.arange(6), 2)
        """,
        after="""
        grid.cells[0, 0], views["cell"][0, 0], halves[0][0] = 1, 2, 3
        print(grid.edge, grid.diagonal, views["edge"] is grid.edge, grid.cells, halves)
        """,
    ),
    case(
        "views of another type, of fields, and of parts of numbers",
        """
        import numpy as np

        words = np.arange(4, dtype="<u4")
        octets, wide = words.view("u1"), words.view("<u8")
        table = np.zeros(3, [("n", "i4"), ("x", "f8")])
        n, both = table["n"], table[["x"]]
        z = np.zeros(2, complex)
        real, imaginary = z.real, z.imag
        """,
        after="""
        octets[0], n[1], real[0], imaginary[1] = 255, 7, 1, 2
        print(words, wide, table, both, z, octets.dtype, np.shares_memory(both, table))
        """,
    ),
    case(
        "read-only views of what can be written, and the reverse",
        """
        import numpy as np

        a = np.arange(4)
        fixed = a.view()
        fixed.flags.writeable = False
        diagonal, spread = np.eye(3).diagonal(), np.broadcast_to(np.arange(3), (2, 3))
        b = np.arange(3)
        open_view = b[:]
        b.flags.writeable = False
        """,
        after="""
        a[0], open_view[0] = 9, 8
        print(
            fixed,
            b,
            diagonal,
            diagonal.flags.writeable,
            spread,
            spread.strides,
            spread.flags.writeable,
            open_view.flags.writeable,
        )
        for locked in (fixed, spread, b):
            try:
                locked[0] = 1
            except ValueError as error:
                print(error)
        """,
    ),
    case(
        "windows that overlap",
        """
        import numpy as np
        from numpy.lib.stride_tricks import as_strided, sliding_window_view

        a = np.arange(6)
        windows = sliding_window_view(a, 3)
        overlapping = as_strided(a, (3, 2), (a.itemsize, a.itemsize))
        """,
        after="""
        a[2] = 99
        overlapping[0, 1] = 77
        print(windows, overlapping, a, windows.flags.writeable, np.shares_memory(windows, a))
        """,
    ),
    case(
        "arrays over bytes that others hold",
        """
        import array
        import numpy as np

        data, fixed, typed = bytearray(b"\\0" * 8), b"abcd", array.array("i", [1, 2, 3])
        over, letters, ints = np.frombuffer(data, "u1"), np.frombuffer(fixed, "S1"), np.frombuffer(typed, "i4")
        half = over[4:]
        """,
        after="""
        data[5] = 7
        over[0] = 9
        typed[1] = 20
        print(list(data), over, half, letters, letters.flags.writeable, ints)
        """,
    ),
    case(
        "one array under two names is one array",
        """
        import numpy as np

        a = np.arange(50_000)
        b, table = a, {"a": a}
        small = tiny = np.array([1])
        """,
        after="""
        a += 1
        print(b is a is table["a"], b[0], small, small is tiny)
        """,
    ),
    case(
        "masked arrays that share data and mask",
        """
        import numpy as np

        data = np.arange(5)
        m = np.ma.array(data, mask=[0, 0, 1, 0, 0], copy=False)
        part, raw = m[1:4], m.data
        """,
        after="""
        data[1], raw[3] = 50, 60
        part[0] = np.ma.masked
        print(m, part, raw, np.shares_memory(m.data, data), m.mask)
        """,
    ),
    case(
        "subclasses as views of plain arrays",
        """
        import numpy as np

        a = np.arange(4)
        matrix = np.asmatrix(a.reshape(2, 2))
        record = np.zeros(2, [("x", "i4")]).view(np.recarray)
        plain = record.view(np.ndarray)
        """,
        after="""
        a[0], record.x[1] = 9, 5
        print(matrix, type(matrix), plain, type(record), np.shares_memory(a, matrix))
        """,
    ),
    case(
        "an array of objects and its parts",
        """
        import numpy as np

        items = [[1], [2], [3]]
        a = np.empty(3, dtype=object)
        a[:] = items
        tail = a[1:]
        """,
        after="""
        tail[0] = "replaced"
        items[2].append(3)
        print(a, tail, tail[1] is items[2], items)
        """,
    ),
    case(
        "arrays in files",
        """
        import numpy as np

        np.save("a.npy", np.arange(5))
        plain, text = np.load("a.npy"), np.arange(3)
        written = np.memmap("m.dat", dtype="i4", mode="w+", shape=(4,))
        written[:] = [1, 2, 3, 4]
        written.flush()
        reading, private = np.load("a.npy", mmap_mode="r"), np.load("a.npy", mmap_mode="c")
        part = written[2:]
        """,
        after="""
        plain[0] = 9
        print(plain, text, np.load("a.npy"))
        """,
        either={
            "written": (
                "file|map|mmap",
                "written[0] = 50\nwritten.flush()\nprint(written, np.fromfile('m.dat', 'i4'), type(written).__name__)",
            ),
            "reading": ("file|map|mmap", "print(reading, reading.flags.writeable, type(reading).__name__)"),
            "private": ("file|map|mmap", "private[0] = 7\nprint(private, np.load('a.npy'))"),
            "part": ("file|map|mmap", "part[0] = 60\npart.flush()\nprint(part, np.fromfile('m.dat', 'i4')[2])"),
        },
    ),
    case(
        "what walks through an array, and an archive of arrays",
        """
        import numpy as np

        a = np.arange(4).reshape(2, 2)
        walk, flat, places = np.nditer(a), a.flat, np.ndenumerate(a)
        next(flat)
        np.savez("z.npz", a=a)
        archive = np.load("z.npz")
        spread = np.broadcast(a, a)
        """,
        after="print(a.sum(), np.load('z.npz')['a'])",
        missing={"walk": "nditer", "archive": "file|NpzFile"},
        either={
            "flat": ("flatiter", "print(next(flat), flat.base is a)"),
            "places": ("flatiter|pickle", "print(next(places))"),
            "spread": ("broadcast", "print(spread.shape)"),
        },
    ),
    case(
        "parts of arrays over bytes, where the whole has no name",
        """
        import array

        import numpy as np

        data, typed = bytearray(b"head" + bytes(8)), array.array("i", range(5))
        body, words, tail = (
            np.frombuffer(data, "u1")[4:],
            np.frombuffer(data, "<u2")[2:].reshape(2, 2),
            np.frombuffer(typed, "i4")[2:],
        )
        """,
        after="""
        data[5] = 1
        words[1, 1] = 513
        typed[3] = 30
        print(list(data), body, words, tail)
        """,
    ),
    case(
        "an array of objects that its own elements lead back to",
        """
        import numpy as np

        a = np.empty((2, 3), dtype=object)
        row, turned, nothing = a[1], a.T, a[2:]
        a[0, 0], a[0, 1], a[0, 2] = [row], {"turned": turned}, [nothing]
        fortran = np.empty((2, 2), dtype=object, order="F")
        fortran[0, 0] = [fortran[1]]
        """,
        after="""
        a[1, 2] = "written"
        fortran[1, 1] = 5
        print(row, turned[2], nothing.shape, nothing.dtype, a[0, 0][0] is row, a[0, 1]["turned"] is turned)
        print(fortran[0, 0][0], fortran.flags.f_contiguous)
        """,
    ),
]
