"""What surrounds the variables comes back with them, or is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.state.kernels import Kernels

Warm = Callable[..., Kernels]
SHELL: list[list[Any]] = [["shell"]]


def carry(
    kernels: Kernels, *cells: str, look: str, shell: bool = False, generations: int = 1
) -> tuple[str, dict[str, str]]:
    """What `look` prints where the cells ran and after that many restores, which must be the same; what is missing."""
    start = SHELL if shell else []
    save = ["save", str(kernels.checkpoints), 1]
    *ran, saved, undisturbed = kernels.run(*start, *(["cell", code] for code in cells), save, ["cell", look])
    assert [outcome.get("error", "") for outcome in ran] == [""] * len(ran)
    assert (saved["error"], undisturbed["error"]) == ("", "")
    for _ in range(generations):
        restore = ["restore", kernels.path(saved["manifest"])]
        *_, restored, saved, after = kernels.run_elsewhere(*start, restore, save, ["cell", look])
        assert (restored["error"], saved["error"], after["error"]) == ("", "", "")
        assert restored["printed"] == saved["printed"] == ""
    assert after["printed"] == undisturbed["printed"] != ""
    return after["printed"], restored["missing"]


@pytest.mark.parametrize(
    ("cell", "look"),
    [
        ("import decimal\ndecimal.getcontext().prec = 7", "print(decimal.Decimal(1) / 3)"),
        (
            "import decimal\nmine = decimal.getcontext(); mine.traps[decimal.Inexact] = True",
            "print(decimal.getcontext() is mine, decimal.getcontext())",
        ),
        (
            "import logging\nlogging.getLogger('a.b').setLevel(10); logging.getLogger('a').disabled = True\n"
            "logging.getLogger('c').propagate = False; logging.root.setLevel(35); logging.addLevelName(35, 'LOUD')",
            "a, b, c = map(logging.getLogger, ('a', 'a.b', 'c'))\n"
            "print(b.level, a.level, a.disabled, c.propagate, logging.getLevelName(logging.root.level))",
        ),
        ("import logging\nlogging.disable(20)", "print(logging.root.manager.disable)"),
        ("import locale\nlocale.setlocale(locale.LC_ALL, 'C.UTF-8')", "print(locale.setlocale(locale.LC_ALL))"),
        ("import sys\nsys.setrecursionlimit(4321)", "print(sys.getrecursionlimit())"),
        ("import gc\ngc.disable(); gc.set_threshold(5, 6, 7)", "print(gc.isenabled(), gc.get_threshold())"),
        ("import os\nos.umask(0o037)", "old = os.umask(0); os.umask(old); print(oct(old))"),
        ("import sys\nsys.set_int_max_str_digits(5000)", "print(len(str(10**4900)), sys.get_int_max_str_digits())"),
        ("import os, time\nos.environ['TZ'] = 'EST5'; time.tzset()", "print(time.tzname, time.localtime(0).tm_hour)"),
        ("import csv\ncsv.field_size_limit(10**6); csv.register_dialect('semi', delimiter=';')",
         "print(csv.field_size_limit(), next(csv.reader(['a;b'], 'semi')))"),
        ("import socket\nsocket.setdefaulttimeout(7)", "print(socket.getdefaulttimeout())"),
        ("import warnings\nwarnings.filterwarnings('error', 'mine')", "print(warnings.filters[0])"),
        ("import random\nrandom.seed(5)", "print(random.random())"),
    ],
    ids=lambda text: text.partition("\n")[0] if text.startswith("import") else "",
)  # fmt: skip
def test_settings_of_python_and_its_library_come_back(warm_kernels: Warm, cell: str, look: str) -> None:
    _, missing = carry(warm_kernels(), cell, look=look, generations=2)
    assert missing == {}


@pytest.mark.parametrize(
    ("cell", "look"),
    [
        ("import numpy as np\nnp.seterr(all='ignore', over='raise')", "print(np.geterr())"),
        ("import numpy as np\nnp.set_printoptions(precision=2)", "print(np.array([1 / 3]))"),
        ("import numpy as np\nnp.random.seed(3); g = np.random.default_rng(1)", "print(np.random.rand(), g.random())"),
        ("import pandas as pd\npd.options.display.max_rows = 7; pd.set_option('plotting.backend', 'matplotlib')",
         "print(pd.options.display.max_rows, pd.get_option('plotting.backend'))"),
        ("import polars as pl\npl.Config.set_tbl_rows(3); pl.Config.set_float_precision(2)",
         "print(pl.DataFrame({'a': [1 / 3] * 9}))"),
        ("import matplotlib\nmatplotlib.rcParams['font.size'] = 7", "print(matplotlib.rcParams['font.size'])"),
        ("import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('mine')\nclass Mine:\n"
         "    def __init__(self, frame): self.frame = frame\n    def rows(self): return len(self.frame)",
         "print(pd.DataFrame({'a': [1, 2]}).mine.rows(), pd.DataFrame.mine is Mine)"),
    ],
    ids=lambda text: text.partition("\n")[0] if text.startswith("import") else "",
)  # fmt: skip
def test_settings_of_libraries_come_back(kernels: Kernels, cell: str, look: str) -> None:
    _, missing = carry(kernels, cell, look=look)
    assert missing == {}


def test_a_context_variable_keeps_its_default_and_its_value(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        "from contextvars import ContextVar, Context\nlist_ = [1]; v = ContextVar('v', default=list_)\n"
        "v.set([2]); w = ContextVar('w'); bare = ContextVar('bare'); held = [v]",
        look="print(v.get(), Context().run(v.get) is list_, w.get('unset'), bare.name, held[0] is v)",
        generations=2,
    )
    assert missing == {}


HELPER = """
import json, os
from os import environ
from json import dumps as write
from collections import OrderedDict
cache, count, name = {}, 0, "first"
_missing = object()
def add(key, value=_missing, log=[]):
    global count
    count += 1
    cache[key] = value
    log.append(key)
    add.calls = len(log)
    return value is _missing, log
def counter():
    n = [0]
    def step():
        n[0] += 1
        return n[0]
    return step
step = counter()
def remember(function):
    known = {}
    def wrapper(x):
        known.setdefault(x, len(known))
        return known[x]
    wrapper.__qualname__ = function.__qualname__
    wrapper.__name__ = function.__name__
    return wrapper
@remember
def number(x): ...
class Meta(type): pass
class Made(metaclass=Meta):
    kept = []
class Registry:
    items, total = [], 0
    class Inner:
        seen = set()
    @classmethod
    def register(cls, item):
        Made.kept.append(item); cls.items.append(item); cls.total += 1; cls.Inner.seen.add(item)
def use(function):
    global write
    write = function
handle = open(os.devnull) if os.environ.get("OPEN") else None
"""
WRITE_HELPER = (
    f"import os, sys\nopen('helper.py', 'w').write({HELPER!r})\nsys.path.insert(0, os.getcwd())\nimport helper"
)
LOOK = """
print(list(helper.cache), helper.count, helper.name, helper.add("z"), helper.add.calls)
print(helper.cache["a"] is helper.cache["z"] is helper._missing, helper.step(), helper.number("c"))
print(helper.Made.kept, helper.Registry.items, helper.Registry.total, helper.Registry.Inner.seen)
print(helper.write({"a": 1}))
print(helper.environ is os.environ, helper.dumps is helper.json.dumps if hasattr(helper, "dumps") else "gone")
"""


def test_the_state_of_the_users_own_modules_comes_back(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        WRITE_HELPER,
        "helper.add('a'); helper.add('b', [1]); helper.step(); helper.number('a'); helper.number('b')\n"
        "helper.Registry.register(3); helper.name = 'second'; helper.use(repr)",
        look=LOOK,
        generations=2,
    )
    assert missing == {}


def test_what_a_module_and_a_variable_share_stays_shared(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        WRITE_HELPER + "\nmine, items, sentinel = helper.cache, helper.Registry.items, helper._missing\n"
        "helper.kept = [mine]; helper.add('a')",
        look="mine['new'] = 1; items.append(5)\n"
        "print(helper.cache is mine is helper.kept[0], helper.Registry.items is items, helper._missing is sentinel,"
        " helper.add('x')[0], helper.add('x', sentinel)[0], helper.cache is mine)",
    )
    assert missing == {}


def test_a_modules_attribute_that_cannot_be_saved_is_named_by_itself(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        "import os; os.environ['OPEN'] = '1'",
        WRITE_HELPER + "\nhelper.add('a'); helper.generator = (i for i in [])",
        look="print(list(helper.cache))",
    )
    assert missing == {"(module helper: handle)": "open file", "(module helper: generator)": "generator"}


def test_modules_of_a_package_that_nobody_has_by_name_come_back_too(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        "import os, sys\nos.makedirs('pack/sub')\nfor name in ('pack', 'pack/sub'): open(name + '/__init__.py', 'w')\n"
        "open('pack/sub/leaf.py', 'w').write('state = []\\ndef note(x): state.append(x); return state')\n"
        "sys.path.insert(0, os.getcwd())\nfrom pack.sub.leaf import note; note(1)",
        look="print(note(2), sys.modules['pack.sub.leaf'].state)",
        generations=2,
    )
    assert missing == {}


def test_a_module_whose_file_has_changed_since_it_was_imported_is_named(warm_kernels: Warm) -> None:
    kernels = warm_kernels()
    write = (
        "import os, sys, importlib\nopen('helper.py', 'w').write('v = 1')\n"
        "sys.path.insert(0, os.getcwd())\nimport helper; del helper"
    )
    save = ["save", str(kernels.checkpoints), 1]
    change = ["cell", "open('helper.py', 'w').write('v = 22')"]
    reload = ["cell", "sys.modules.pop('helper'); importlib.invalidate_caches(); import helper; del helper"]
    gone = ["cell", "os.remove('helper.py')"]
    saves = kernels.run(["cell", write], save, change, save, reload, save, gone, save)[1::2]
    assert [saved["missing"] for saved in saves] == [
        {},
        {"(module helper)": "its file was changed after it was imported; the changed code comes back"},
        {},
        {"(module helper)": "its file is gone"},
    ]


@pytest.mark.parametrize(
    ("cells", "look"),
    [
        (["import math\nmath.pi = 3"], "print(math.pi)"),
        (["import textwrap\ndef mine(x): return 'mine ' + word\nword = 'one'\ntextwrap.dedent = mine"],
         "word = 'two'; import textwrap; print(textwrap.dedent(1))"),
        (["import textwrap as t\nplain = t.dedent\nt.dedent = lambda x: '<' + plain(x) + '>'", "del t"],
         "import textwrap; print(textwrap.dedent(' 1'))"),
        (["import math, time\nplain, old = math.sqrt, time.sleep\nmath.sqrt = lambda x: plain(x) + 100",
          "time.sleep = lambda seconds: old(0)"],
         "import math, time; time.sleep(600); print(math.sqrt(4), plain(4))"),
        (["import unittest.mock, os\nwho = unittest.mock.patch('os.getlogin', new=lambda: 'me'); _ = who.start()"],
         "import os; print(os.getlogin())"),
        (["import xml.dom.minidom\nxml.dom.minidom.Node.extra = [1]\nkept = xml.dom.minidom.Node.extra"],
         "kept.append(2); print(xml.dom.minidom.Node.extra)"),
        (["from fractions import Fraction\ndef double(self): return self * 2\nFraction.double = double"],
         "print(Fraction(1, 3).double())"),
        (["from fractions import Fraction as F\nF.kind = property(lambda self: 'kind')\n"
          "F.made = classmethod(lambda c: c(7)); F.free = staticmethod(len); del F.limit_denominator"],
         "print(F(1).kind, F.made(), F.free('ab'), hasattr(F, 'limit_denominator'))"),
        (["import string", "setattr(string, 'digits', '01'); string.added = 1", "string.added += 1"],
         "print(string.digits, string.added)"),
        (["def patch():\n    import textwrap as t\n    t.dedent = str.upper\npatch()"],
         "import textwrap; print(textwrap.dedent('a'))"),
        (["import string\nstring.__dict__['one'], vars(string)['two'] = 1, 2\ndel string.hexdigits"],
         "print(string.one, string.two, hasattr(string, 'hexdigits'))"),
        (["from fractions import Fraction\nf = Fraction(1)\ntype(f).a = 1; f.__class__.b = 2",
          "(Fraction.c, x), Fraction.d = (3, 4), 5"],
         "print(f.a, f.b, f.c, f.d)"),
        (["%%capture\nimport math\nmath.tau = 6", "exec('import math; math.inf = 9')"],
         "import math; print(math.tau, math.inf)"),
        (["import builtins\nbuiltins.everywhere = [1]", "import sys\nsys.tracebacklimit = 3; sys.argv = ['me']"],
         "print(everywhere, sys.tracebacklimit, sys.argv)"),
        (["import decimal\ndecimal.DefaultContext.prec = 9"], "print(decimal.DefaultContext.prec)"),
    ],
)  # fmt: skip
def test_what_cells_write_to_attributes_of_libraries_comes_back(
    warm_kernels: Warm, cells: list[str], look: str
) -> None:
    _, missing = carry(warm_kernels(), *cells, look=look, shell=True, generations=2)
    assert missing == {}


def test_an_attribute_that_a_cell_would_have_written_does_no_harm(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        "import json, math\nif False: json.dumps = None; math.pi = 4; math.nothing = 5\n"
        "def f(self): self.x = json.y.z = 1",
        look="print(json.dumps(1), math.pi, hasattr(math, 'nothing'))",
        shell=True,
    )
    assert missing == {}


def test_a_patch_that_cannot_be_saved_is_named(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(), "import string\nstring.mine = (i for i in [])", look="print(hasattr(string, 'x'))", shell=True
    )
    assert missing == {"(attribute string.mine)": "generator"}


def test_a_cell_that_cannot_be_parsed_and_one_that_fails_halfway_are_no_obstacle(warm_kernels: Warm) -> None:
    kernels = warm_kernels()
    cells = ["import string\nstring.a = 1\n1 / 0", "string.b = = 2", "string.c = 3"]
    *_, saved = kernels.run(*SHELL, *(["cell", code] for code in cells), ["save", str(kernels.checkpoints), 1])
    *_, after = kernels.run_elsewhere(
        *SHELL,
        ["restore", kernels.path(saved["manifest"])],
        ["cell", "import string; print(string.a, hasattr(string, 'b'), string.c)"],
    )
    assert after["printed"] == "1 False 3\n"


LIBRARIES = (
    "import numpy, pandas, matplotlib.pyplot, sklearn.linear_model, polars, duckdb, scipy.stats, openpyxl, PIL.Image\n"
    "import pyarrow.parquet, sqlite3, asyncio, logging, concurrent.futures, multiprocessing, unittest.mock\n"
    "df = pandas.DataFrame({'a': [1, 2]}); matplotlib.pyplot.plot([1]); duckdb.sql('select 1').fetchall()\n"
    "polars.DataFrame({'a': [1]}).lazy().collect(); sklearn.linear_model.LinearRegression().fit(df, df.a)\n"
    "concurrent.futures.ThreadPoolExecutor(1).submit(print); x = 1"
)


@pytest.mark.parametrize("shell", [False, True])
def test_in_a_plain_session_with_libraries_nothing_is_reported(kernels: Kernels, shell: bool) -> None:
    start = SHELL if shell else []
    *_, ran, saved = kernels.run(*start, ["cell", LIBRARIES], ["save", str(kernels.checkpoints), 1])
    assert (ran["error"], saved["error"]) == ("", "")
    assert saved["missing"] == {}


@pytest.mark.parametrize(
    ("cell", "missing"),
    [
        ("import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)",
         {"(signal handler SIGUSR1)": "signal handlers are not saved"}),
        ("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)",
         {"(signal handler SIGHUP)": "signal handlers are not saved"}),
        ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 500)", {"(timer real)": "timers are not saved"}),
        ("import threading\ndef work(): threading.Event().wait()\n"
         "threading.Thread(target=work, name='w', daemon=True).start()",
         {"(thread w)": "threads are not saved"}),
        ("import atexit\n@atexit.register\ndef bye(): pass",
         {"(exit functions)": "what atexit registers is not saved"}),
        ("import string\nfor name in ('a', 'b'): setattr(string, name, 1)",
         {"(attributes of string)": "a cell has set attributes whose names cannot be told; they are not saved"}),
        ("from IPython.core.magic import register_line_magic, register_cell_magic\n"
         "@register_line_magic\ndef mine(line): pass\n@register_cell_magic\ndef whole(line, cell): pass",
         {"(%mine)": "magics are not saved", "(%%whole)": "magics are not saved"}),
        ("def after(result): pass\nget_ipython().events.register('post_run_cell', after)",
         {"(post_run_cell of IPython)": "callbacks of IPython's events are not saved"}),
        ("get_ipython().input_transformers_post.append(lambda lines: lines)",
         {"(input_transformers_post of IPython)": "transformers of cells are not saved"}),
        ("class C: pass\nformatters = get_ipython().display_formatter.formatters\n"
         "formatters['text/html'].for_type(C, lambda c: '<b>'); del formatters",
         {"(formatters for text/html)": "formatters of displayed objects are not saved"}),
        ("import sys\ndef trace(*_): return None\nsys.setprofile(trace)",
         {"(sys.setprofile)": "trace functions are not saved"}),
        ("%load_ext autoreload", {"(extension autoreload)": "extensions of IPython are not loaded again"}),
    ],
)  # fmt: skip
def test_what_is_not_saved_is_named(warm_kernels: Warm, cell: str, missing: dict[str, str]) -> None:
    kernels = warm_kernels()
    *_, ran, saved = kernels.run(*SHELL, ["cell", cell], ["save", str(kernels.checkpoints), 1])
    assert (ran["error"], saved["error"]) == ("", "")
    assert saved["missing"] == missing


def test_a_logging_handler_of_a_cell_comes_back_or_is_named(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        "import logging\nlines = []\n"
        "class Kept(logging.Handler):\n    def emit(self, record): lines.append(self.format(record))\n"
        "log = logging.getLogger('mine'); log.setLevel(10); kept = Kept(); log.addHandler(kept)\n"
        "kept.setFormatter(logging.Formatter('%(levelname)s %(message)s'))\n"
        "logging.getLogger().addHandler(logging.FileHandler('log'))",
        look="log.debug('hello'); print(lines, log.handlers == [kept])",
    )
    assert list(missing) == ["(logging handler FileHandler 0 of root)"]


def test_a_hook_that_a_cell_sets_by_name_comes_back(warm_kernels: Warm) -> None:
    _, missing = carry(
        warm_kernels(),
        "import sys\ndef hook(*error): print('hooked')\nsys.excepthook = hook",
        look="import sys; print(sys.excepthook is hook)",
        shell=True,
    )
    assert missing == {}
