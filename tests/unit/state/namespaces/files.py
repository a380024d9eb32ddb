"""Files, streams, and what reads and writes them."""

from tests.unit.state.namespaces.cases import case

_open = "open file"

CASES = [
    case(
        "streams in memory",
        r"""
        import io

        s = io.StringIO("abc\ndef")
        s.readline()
        b = io.BytesIO(b"xyz")
        b.read(1)
        """,
        after="print(s.read(), b.read(), s.getvalue())",
    ),
    case(
        "a file that was closed",
        """
        with open("data.txt", "w") as f:
            f.write("x")
        with open("data.txt", "rb") as g:
            g.read()
        with open("data.txt") as h:
            text = h.read()
        """,
        after="""
        print(f.closed, f.name, f.mode, g.closed, g.name, h.closed, h.name, h.mode, open("data.txt").read())
        try:
            f.write("y")
        except ValueError as e:
            print(e)
        """,
    ),
    case(
        "output streams and loggers",
        """
        import sys, logging

        out = sys.stdout
        log = logging.getLogger("mine")
        """,
        after="""
        print(log is logging.getLogger("mine"), log.name)
        print("written", file=sys.stdout)
        """,
    ),
    case(
        "open files of every kind",
        """
        import gzip, os, tempfile

        with open("data.txt", "w") as closed:
            closed.write("line 1\\nline 2\\n")
        text, data, both = open("data.txt"), open("data.txt", "rb"), open("data.txt", "r+b")
        raw, added, packed = open("data.txt", "rb", buffering=0), open("new.txt", "a"), gzip.open("z.gz", "wb")
        temporary, read_end = tempfile.TemporaryFile(), os.fdopen(os.pipe()[0])
        first, lines = text.readline(), enumerate(data)
        """,
        after="print(first, closed.closed, os.path.exists('new.txt'))",
        missing=dict.fromkeys(
            ("text", "data", "both", "raw", "added", "packed", "temporary", "read_end", "lines"), _open
        ),
    ),
    case(
        "an open file within an object, and what else that object has",
        """
        class Log:
            def __init__(self, path):
                self.path, self.file, self.lines = path, open(path, "w"), []

            def write(self, line):
                self.lines.append(line)
                self.file.write(line)


        log = Log("log.txt")
        log.write("one")
        lines, write = log.lines, log.write
        """,
        after="""
        lines.append("two")
        print(lines)
        """,
        missing={"log": _open, "write": _open},
    ),
    case(
        "what was written stays in the file",
        """
        import os

        with open("out.txt", "w") as f:
            for n in range(3):
                print(n, file=f)
        size = os.path.getsize("out.txt")
        rest = open("unflushed.txt", "w", buffering=1)
        print("a line", file=rest)
        """,
        after="print(open('out.txt').read(), size, open('unflushed.txt').read())",
        missing={"rest": _open},
    ),
    case(
        "streams in memory, with a position, translated line ends, and attributes",
        """
        import io

        text, data = io.StringIO("a\\r\\nb\\rc", newline=None), io.BytesIO(b"0123456789")
        text.readline()
        data.seek(4)
        data.write(b"XX")


        class Named(io.BytesIO):
            label = "none"


        named = Named(b"abc")
        named.label = ["l"]
        named.seek(0, 2)
        alias, large = data, io.BytesIO(bytes(200_000))
        large.seek(150_000)
        """,
        after="""
        alias.write(b"Y")
        named.write(b"d")
        print(repr(text.read()), data.getvalue(), data.tell(), named.getvalue(), named.label, alias is data)
        print(large.tell(), len(large.read()))
        """,
    ),
    case(
        "streams in memory that are closed or looked into",
        """
        import io

        closed, viewed, kept = io.StringIO("x"), io.BytesIO(b"abc"), [1]
        closed.close()
        view = viewed.getbuffer()
        wrapped = io.TextIOWrapper(io.BytesIO(b"text"), encoding="utf-8")
        """,
        after="print(kept)",
        missing={"view": "memory view"},
        either={
            "closed": ("closed", "print(closed.closed)"),
            "viewed": ("memory|buffer|export", "print(viewed.getvalue())"),
            "wrapped": ("open file", "print(wrapped.read())"),
        },
    ),
    case(
        "temporary directories and named files",
        """
        import os, tempfile

        directory = tempfile.TemporaryDirectory(dir=".")
        path = os.path.join(directory.name, "f.txt")
        open(path, "w").write("content")
        named = tempfile.NamedTemporaryFile("w", dir=".", delete=False)
        named.write("text")
        named.close()
        name, spooled = os.path.basename(named.name), tempfile.SpooledTemporaryFile()
        """,
        after="print(open(path).read(), open(name).read())",
        either={
            "directory": ("weak|callback", "directory.cleanup()\nprint(os.path.exists(path))"),
            "named": ("file", "print(named.closed, os.path.basename(named.name) == name)"),
            "spooled": ("file", "spooled.write(b'x')\nspooled.seek(0)\nprint(spooled.read())"),
        },
    ),
    case(
        "archives, open and closed",
        """
        import io, tarfile, zipfile

        buffer = io.BytesIO()
        archive = zipfile.ZipFile(buffer, "w")
        archive.writestr("a.txt", "text")
        archive.close()
        info = archive.getinfo("a.txt")
        with zipfile.ZipFile("z.zip", "w") as made:
            made.writestr("b.txt", "b")
        reading = zipfile.ZipFile("z.zip")
        member = reading.open("b.txt")
        packed = tarfile.open("t.tar", "w")
        """,
        after="print(zipfile.ZipFile(buffer).read('a.txt'), info.filename, zipfile.ZipFile('z.zip').namelist())",
        missing={"reading": _open, "member": _open, "packed": _open},
        either={
            "archive": ("file|lock", "print(archive.namelist(), archive.fp)"),
            "made": ("file|lock", "print(made.namelist(), made.fp)"),
        },
    ),
    case(
        "readers and writers of tables",
        """
        import csv, io

        source, target = io.StringIO("a,b\\n1,2\\n3,4\\n"), io.StringIO()
        reader, writer = csv.reader(source), csv.writer(target)
        named = csv.DictReader(["k;v", "x;1"], delimiter=";")
        header = next(reader)
        writer.writerow(header)


        class Semi(csv.excel):
            delimiter = ";"


        rows, dialect = list(csv.DictReader(io.StringIO("k\\nv"))), Semi()
        """,
        after="""
        print(header, target.getvalue(), rows, dialect.delimiter, list(csv.reader(["x;y"], dialect=Semi)))
        """,
        missing={"reader": "reader", "writer": "writer", "named": "reader"},
    ),
    case(
        "standard streams under other names",
        """
        import sys

        out, error, real = sys.stdout, sys.stderr, sys.__stdout__


        def say(*words, file=sys.stdout):
            print(*words, file=file)


        streams = {"out": sys.stdout}
        """,
        after="""
        print(streams["out"] is out is say.__kwdefaults__["file"], error is sys.stderr)
        """,
        either={"real": (_open, "print(real is sys.__stdout__)")},
    ),
]
