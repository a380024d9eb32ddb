"""What the standard library gives: dates, numbers, texts, parsers, settings."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "dates, decimals, fractions, paths, patterns, identifiers",
        """
        import datetime, decimal, fractions, pathlib, re, uuid, zoneinfo

        now = datetime.datetime(2025, 4, 5, tzinfo=zoneinfo.ZoneInfo("UTC"))
        td = datetime.timedelta(1)
        d = decimal.Decimal("1.10")
        f = fractions.Fraction(1, 3)
        p = pathlib.Path("a") / "b"
        rx = re.compile("(a+)", re.I)
        m = uuid.UUID(int=1)
        """,
        after='print(now, now.tzinfo, td, d, f, p, type(p), rx.findall("xAa"), rx.flags, m)',
    ),
    case(
        "warning filters",
        """
        import warnings

        warnings.filterwarnings("ignore", message="quiet.*")
        """,
        after="""
        import warnings

        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("quiet one")
            warnings.warn("loud")
        print([str(w.message) for w in seen])
        """,
    ),
    case(
        "dates in their zones, also in the hour that comes twice",
        """
        import datetime as dt
        from zoneinfo import ZoneInfo

        berlin, fixed = ZoneInfo("Europe/Berlin"), dt.timezone(dt.timedelta(hours=5, minutes=30), "IST")
        first = dt.datetime(2025, 10, 26, 2, 30, tzinfo=berlin)
        second = first.replace(fold=1)
        utc, clock, day = dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc), dt.time(1, 2, tzinfo=fixed), dt.date.max


        class Moscow(dt.tzinfo):
            def utcoffset(self, when):
                return dt.timedelta(hours=hours)

            def dst(self, when):
                return dt.timedelta(0)

            def tzname(self, when):
                return "M"


        hours = 3
        mine = dt.datetime(2025, 6, 1, 12, tzinfo=Moscow())
        """,
        after="""
        hours = 4
        print(
            first.utcoffset(), second.utcoffset(), second.fold, second - first, berlin is ZoneInfo("Europe/Berlin")
        )
        print(
            first.tzinfo is berlin,
            utc.tzinfo is dt.timezone.utc,
            clock,
            day,
            mine.isoformat(),
            mine.astimezone(berlin),
        )
        """,
    ),
    case(
        "a zone read from a file, and one past the cache",
        """
        import io
        from importlib.resources import files
        from zoneinfo import ZoneInfo

        data = (files("tzdata") / "zoneinfo" / "Asia" / "Tokyo").read_bytes()
        read = ZoneInfo.from_file(io.BytesIO(data), key="mine")
        apart = ZoneInfo.no_cache("Asia/Tokyo")
        """,
        after="print(apart.key)",
        either={"read": ("from file|pickle", "print(read.key)")},
    ),
    case(
        "dates with methods of their own",
        """
        import datetime


        class Day(datetime.date):
            def next(self):
                return type(self).fromordinal(self.toordinal() + step)


        class Span(datetime.timedelta): ...


        day, span, step = Day(2025, 2, 28), Span(days=1), 1
        day.note = "n"
        """,
        after="""
        step = 2
        print(day, day.next(), type(day.next()) is Day, span, type(span) is Span, day.note)
        """,
    ),
    case(
        "decimal numbers and their contexts",
        """
        import decimal
        from decimal import Decimal

        narrow = decimal.Context(prec=3, rounding=decimal.ROUND_UP, traps=[decimal.Overflow], Emin=-5)
        narrow.divide(Decimal(1), Decimal(3))
        values = [Decimal("-0.00"), Decimal("NaN123"), Decimal("Infinity"), Decimal(1) / 7]


        class Money(Decimal):
            currency = "EUR"


        money = Money("1.20")
        """,
        after="""
        print(
            narrow.divide(Decimal(2), Decimal(3)),
            narrow.flags[decimal.Inexact],
            narrow.traps[decimal.Overflow],
            narrow,
        )
        print(values, money, money.currency, type(money) is Money)
        """,
    ),
    case(
        "numbers, networks, identifiers",
        """
        import fractions, ipaddress, statistics, uuid

        third = fractions.Fraction(1, 3)
        net, host = ipaddress.ip_network("10.0.0.0/30"), ipaddress.ip_address("::1")
        ident, normal = uuid.uuid5(uuid.NAMESPACE_DNS, "x"), statistics.NormalDist(2, 3)
        """,
        after="""
        print(
            third * 3 == 1,
            [str(h) for h in net.hosts()],
            host.is_loopback,
            ident,
            ident.variant,
            normal.cdf(2),
            normal + 1,
        )
        """,
    ),
    case(
        "paths of every kind",
        """
        import pathlib

        here, pure, windows = (
            pathlib.Path("a/../b"),
            pathlib.PurePosixPath("/x/y.tar.gz"),
            pathlib.PureWindowsPath("c:/d"),
        )
        home, parts = pathlib.Path.cwd(), list(pure.parents)
        """,
        after="""
        here.mkdir(parents=True) if not here.exists() else None
        print(
            here.exists(),
            pure.suffixes,
            windows.drive,
            home == pathlib.Path.cwd(),
            parts,
            {pure: 1}[pathlib.PurePosixPath("/x/y.tar.gz")],
        )
        """,
    ),
    case(
        "patterns, and what they found",
        """
        import re

        words, data = re.compile(r"(?P<w>\\w+)", re.I | re.X), re.compile(b"a|b")
        found = words.search("hello world")
        """,
        after="""
        print(words.groupindex, words.flags, data.findall(b"abc"), words == re.compile(r"(?P<w>\\w+)", re.I | re.X))
        """,
        either={"found": ("Match", "print(found['w'], found.span(), found.string, found.re is words)")},
    ),
    case(
        "templates and formatters",
        """
        import string, textwrap


        class Percent(string.Template):
            delimiter = "%"


        class Loud(string.Formatter):
            def format_field(self, value, spec):
                return super().format_field(value, spec).upper() + mark


        mark = "!"
        plain, percent, loud, wrapper = string.Template("$a b"), Percent("%a $b"), Loud(), textwrap.TextWrapper(width=5)
        """,
        after="""
        mark = "?"
        print(plain.substitute(a=1), percent.substitute(a=2), loud.format("{x}", x="x"), wrapper.wrap("aa bb cc"))
        """,
    ),
    case(
        "namespaces, read-only views, structures of time",
        """
        import argparse, time, types

        inner = {"k": [1]}
        simple, parsed = types.SimpleNamespace(a=1, inner=inner), argparse.Namespace(b=2)
        simple.me = simple
        proxy, moment = types.MappingProxyType(inner), time.gmtime(0)
        """,
        after="""
        inner["new"] = 2
        print(simple.me is simple, simple.inner is inner, parsed, proxy["new"], moment.tm_year, moment)
        try:
            proxy["x"] = 1
        except TypeError as error:
            print("read-only")
        """,
    ),
    case(
        "a parser of arguments with functions of the session",
        """
        import argparse


        def positive(text):
            if int(text) < least:
                raise argparse.ArgumentTypeError(f"under {least}")
            return int(text)


        least = 0
        parser = argparse.ArgumentParser(prog="p", exit_on_error=False)
        parser.add_argument("n", type=positive)
        parser.add_argument("--mode", choices=["a", "b"], default="a")
        commands = parser.add_subparsers(dest="command")
        commands.add_parser("run").add_argument("--fast", action="store_true")
        """,
        after="""
        least = 5
        print(parser.parse_args(["7", "--mode", "b", "run", "--fast"]))
        try:
            parser.parse_args(["3"])
        except argparse.ArgumentError as error:
            print(error)
        """,
    ),
    case(
        "settings read by configparser, and texts by json",
        """
        import configparser, json

        config = configparser.ConfigParser()
        config.read_string("[a]\\nx = 1\\ny = ${x}\\n[b]\\nz = %(w)s\\nw = 5")
        section = config["b"]


        class Encoder(json.JSONEncoder):
            def default(self, o):
                return sorted(o)


        encoder = Encoder(sort_keys=True)
        """,
        after="""
        section["w"] = "6"
        print(
            config["b"]["z"],
            config.sections(),
            config.getint("a", "x"),
            encoder.encode({"k": {2, 1}}),
            json.dumps({3}, cls=Encoder),
        )
        """,
    ),
    case(
        "trees of XML, and a mail",
        """
        import email.message
        import xml.etree.ElementTree as ET

        root = ET.fromstring("<a x='1'><b>text</b><b/></a>")
        tree, second = ET.ElementTree(root), root[1]
        mail = email.message.EmailMessage()
        mail["Subject"] = "größe"
        mail.set_content("body")
        """,
        after="""
        second.text = "new"
        print(
            ET.tostring(tree.getroot()),
            tree.getroot() is root,
            root.find("b").text,
            mail["subject"],
            mail.get_content(),
        )
        """,
    ),
    case(
        "loggers, their records and adapters",
        """
        import logging

        log = logging.getLogger("mine.part")
        adapter = logging.LoggerAdapter(log, {"user": "u"})
        record = logging.LogRecord("n", logging.INFO, "f.py", 3, "got %s", ([1],), None)
        formatter = logging.Formatter("%(levelname)s %(message)s")
        levels = {log: logging.INFO}
        """,
        after="""
        print(log is logging.getLogger("mine.part"), adapter.logger is log, adapter.extra, record.getMessage())
        print(formatter.format(record), levels[log])
        """,
    ),
    case(
        "what is finished",
        """
        import subprocess, sys

        done = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True)
        error = subprocess.CalledProcessError(3, ["cmd"], output="o")
        """,
        after="print(done.stdout, done.returncode, error, error.output)",
    ),
    case(
        "sums and compressors that are under way",
        """
        import hashlib, zlib

        done, text = hashlib.sha256(b"x").hexdigest(), ["kept"]
        running, squeeze = hashlib.sha256(b"x"), zlib.compressobj()
        """,
        after="print(done, text)",
        either={
            "running": ("HASH|pickle", "print(running.hexdigest())"),
            "squeeze": ("Compress|pickle", "print(squeeze.flush())"),
        },
    ),
    case(
        "binary layouts",
        """
        import struct

        raw, layout = struct.pack("<iH", 5, 6), "<iH"
        packer = struct.Struct(layout)
        """,
        after="print(struct.unpack(layout, raw))",
        either={"packer": ("Struct", "print(packer.unpack(raw), packer.size)")},
    ),
]
