"""Text, languages, time zones, objects and how they are kept; progress and warnings."""

from __future__ import annotations

from tests.sandbox.case import Allowed

TEXT: tuple[Allowed, ...] = (
    Allowed(
        "text: encodings, normal forms, regular expressions, names of files beyond ASCII",
        r"""
import codecs, csv, difflib, io, locale, pathlib, re, string, sys, textwrap, unicodedata
words = "Ærøskøbing naïve Ελλάδα Москва 東京 서울 🎉 e\u0301"
assert sys.getdefaultencoding() == sys.getfilesystemencoding() == "utf-8" and locale.getpreferredencoding() == "UTF-8"
place = pathlib.Path("größe 東京 🎉.txt"); place.write_text(words)
assert place.read_text() == words and place.name in [path.name for path in pathlib.Path(".").iterdir()]
assert "größe 東京 🎉.txt" in "".join(get_ipython().getoutput("ls"))
for encoding in ("utf-8", "utf-16", "utf-8-sig", "gb18030"): assert words.encode(encoding).decode(encoding) == words
assert "Größe".encode("latin-1").decode("cp1252") == "Größe" and "東京".encode("shift_jis") == b"\x93\x8c\x8b\x9e"
assert unicodedata.normalize("NFC", "e\u0301") == "é" and unicodedata.name("🎉") == "PARTY POPPER"
assert "straße".casefold() == "strasse"
assert re.findall(r"(?P<year>\d{4})-(?P<month>\d\d)", "from 2025-01 to 2025-12") == [("2025", "01"), ("2025", "12")]
assert re.sub(r"(?<=\d)(?=(\d{3})+\b)", ",", "1234567") == "1,234,567" and re.fullmatch(r"\w+", "naïve")
assert difflib.get_close_matches("appel", ["ape", "apple"])[0] == "apple" and len(textwrap.wrap("word " * 50, 40)) > 5
out = io.StringIO(); csv.writer(out, delimiter=";").writerows([["a;b", 'say "x"'], [1, None]])
assert list(csv.reader(io.StringIO(out.getvalue()), delimiter=";"))[0] == ["a;b", 'say "x"']
assert string.Template("$who owes $$5").substitute(who="Ada") == "Ada owes $5"
assert f"{1234.5678:>12,.2f}|{255:#06x}" == "    1,234.57|0x00ff"
print(words, *map(len, words.split()))
print("WORKS")
""",
    ),
    Allowed(
        "text: locales, time zones and calendars",
        """
import calendar, datetime as dt, email.utils, locale, os, time, zoneinfo
assert "UTF-8" in locale.setlocale(locale.LC_ALL, "").upper()
assert locale.format_string("%d", 1234567, grouping=True) in ("1234567", "1,234,567")
assert len(zoneinfo.available_timezones()) > 500
berlin, york = zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo("America/New_York")
noon = dt.datetime(2025, 7, 1, 12, tzinfo=berlin)
assert noon.astimezone(york).hour == 6 and noon.utcoffset() == dt.timedelta(hours=2)
gap = dt.datetime(2025, 10, 26, 2, 30, tzinfo=berlin)
assert gap.utcoffset() != gap.replace(fold=1).utcoffset()
assert dt.datetime.fromisoformat("2025-03-01T12:00:00+05:30").astimezone(dt.UTC).hour == 6
before = os.environ.get("TZ"); os.environ["TZ"] = "Asia/Kolkata"; time.tzset()
assert time.strftime("%z") == "+0530" and dt.datetime.fromtimestamp(0).hour == 5
os.environ.pop("TZ") if before is None else os.environ.update(TZ=before); time.tzset()
assert calendar.monthrange(2024, 2) == (3, 29) and dt.date(2025, 12, 29).isocalendar().week == 1
assert dt.datetime.strptime("Tue 01 Jul 2025", "%a %d %b %Y").date() == noon.date()
assert email.utils.parsedate_to_datetime("Tue, 01 Jul 2025 10:00:00 +0000") == noon
from dateutil import parser, relativedelta, rrule, tz
assert parser.parse("1 July 2025 5pm").hour == 17
assert dt.date(2025, 1, 31) + relativedelta.relativedelta(months=1) == dt.date(2025, 2, 28)
assert len(list(rrule.rrule(rrule.WEEKLY, count=4, dtstart=noon))) == 4 and tz.gettz("Asia/Tokyo") is not None
print("WORKS")
""",
    ),
    Allowed(
        "objects: dataclasses, enums, protocols, generics, pickle, cloudpickle, copy, shelve, dbm",
        """
import abc, cloudpickle, collections, copy, dataclasses, dbm, enum, functools, heapq, itertools, json
import pickle, shelve, subprocess, sys, typing
class Colour(enum.StrEnum): RED = "red"; BLUE = "blue"
@dataclasses.dataclass(order=True, slots=True)
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list, compare=False)
    colour: Colour = Colour.RED
    def __add__(self, other): return Point(self.x + other.x, self.y + other.y)
assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2) and Point(1) + Point(2) == Point(3)
assert sorted([Point(2), Point(1)])[0].x == 1
assert json.loads(json.dumps(dataclasses.asdict(Point(1)))) == {"x": 1, "y": 0.0, "tags": [], "colour": "red"}
factor = 3
code = cloudpickle.dumps(lambda p: Point(p.x * factor).x)
reader = "import pickle, sys; f = pickle.load(sys.stdin.buffer); print(f(type('P', (), {'x': 14})))"
child = subprocess.run([sys.executable, "-c", reader], input=code, capture_output=True)
assert child.stdout == b"42\\n", child.stderr
with shelve.open("shelf") as shelf: shelf["point"] = Point(5)
with shelve.open("shelf") as shelf: assert shelf["point"].x == 5
with dbm.open("data.dbm", "c") as data: data["k"] = "v"; assert data["k"] == b"v"
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
try: Shape(); raise SystemExit("abstract")
except TypeError: pass
@functools.lru_cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
assert fib(90) == 2880067194370816120 and fib.cache_info().hits > 50 and heapq.nsmallest(2, [3, 1, 2]) == [1, 2]
match {"kind": "circle", "r": 2}:
    case {"kind": "circle", "r": r}: assert r == 2
assert copy.deepcopy({"p": Point(1, tags=["a"])})["p"].tags == ["a"]
assert collections.Counter("abca").most_common(1) == [("a", 2)]
assert list(itertools.pairwise("abc")) == [("a", "b"), ("b", "c")] and typing.get_type_hints(Point)["x"] is float
sys.setrecursionlimit(5000); deep = functools.reduce(lambda f, _: (lambda: f()), range(900), lambda: 7)
assert deep() == 7
print("WORKS")
""",
    ),
    Allowed(
        "output: warnings, progress bars, standard error, large prints and tracebacks",
        """
import contextlib, io, os, sys, time, traceback, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("careful", DeprecationWarning); import numpy; numpy.float64(1) / numpy.float64(0)
assert [str(one.message) for one in caught][0] == "careful" and len(caught) == 2
for i in range(101):
    print(f"\\r{'#' * (i // 5):20} {i:3}%", end="", flush=True); time.sleep(0.002)
print()
sys.stderr.write("to standard error\\n"); os.write(1, b"to descriptor 1\\n"); os.write(2, b"to descriptor 2\\n")
os.system("echo from a child")
with contextlib.redirect_stdout(io.StringIO()) as kept: print("hidden")
assert kept.getvalue() == "hidden\\n"
for i in range(20_000): print("a line that is printed many times", i)
try: {}["missing"]
except KeyError: text = traceback.format_exc()
assert "KeyError: 'missing'" in text
assert sys.stdout.isatty() is False
import pprint
pprint.pprint({"a": list(range(30))}, width=40, compact=True)
sys.stderr.flush(); time.sleep(1)  # It has a stream of its own, which may arrive later.
print("WORKS")
""",
    ),
    Allowed(
        "documents: XML, HTML, INI, TOML, URLs and hashes",
        """
import base64, configparser, hashlib, hmac, html.parser, ipaddress, secrets, tomllib, urllib.parse, uuid
import xml.etree.ElementTree as ET
from xml.dom import minidom
import xxhash
root = ET.Element("shop"); [ET.SubElement(root, "item", id=str(i)).__setattr__("text", f"Stück {i}") for i in range(3)]
ET.ElementTree(root).write("shop.xml", encoding="utf-8", xml_declaration=True); ET.indent(root)
assert ET.parse("shop.xml").find(".//item[@id='2']").text == "Stück 2"
assert len(minidom.parse("shop.xml").getElementsByTagName("item")) == 3
class Links(html.parser.HTMLParser):
    found: list = []
    def handle_starttag(self, tag, attrs): self.found += [value for name, value in attrs if name == "href"]
Links().feed("<p><a href='/a?b=1&amp;c=2'>x</a>"); assert Links.found == ["/a?b=1&c=2"]
config = configparser.ConfigParser(); config.read_string("[db]\\nport = 5432\\n")
assert config.getint("db", "port") == 5432
assert tomllib.loads("[tool]\\nnames = ['a']")["tool"]["names"] == ["a"]
parsed = urllib.parse.urlsplit("https://x.example/a%20b?q=1&q=2#top")
assert urllib.parse.parse_qs(parsed.query) == {"q": ["1", "2"]} and urllib.parse.quote("ä b") == "%C3%A4%20b"
assert hashlib.sha256(b"abc").hexdigest().startswith("ba7816bf")
assert hashlib.file_digest(open("shop.xml", "rb"), "md5").hexdigest()
assert hashlib.scrypt(b"p", salt=b"s", n=1024, r=8, p=1)
assert hmac.compare_digest(hmac.digest(b"k", b"m", "sha1"), hmac.digest(b"k", b"m", "sha1"))
assert len(secrets.token_hex(16)) == 32 and uuid.uuid4() != uuid.uuid4() and uuid.uuid1().version == 1
assert xxhash.xxh64(b"").hexdigest() == "ef46db3751d8e999"
assert base64.b64decode(base64.b64encode(b"x")) == b"x" and len(list(ipaddress.ip_network("10.0.0.0/29").hosts())) == 6
print("WORKS")
""",
    ),
)
