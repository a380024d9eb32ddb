"""Exceptions."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "exceptions with everything",
        """
        class AppError(Exception):
            code = 0

            def __init__(self, message, *, code=1, extra=None):
                super().__init__(message)
                self.code, self.extra = code, extra

            def __str__(self):
                return f"[{self.code}] {self.args[0]} {suffix}"


        class Reduced(AppError):
            def __init__(self, a, b):
                super().__init__(a, code=b)
                self.pair = a, b

            def __reduce__(self):
                return type(self), self.pair


        class Deprecated(DeprecationWarning): ...


        suffix, shared = "s", ["shared"]
        first = AppError("first", code=7, extra=shared)
        second, warning = Reduced("a", 2), Deprecated("old")
        second.__context__, second.__suppress_context__ = first, True
        stop, system, unicode = StopIteration(shared), SystemExit(3), UnicodeDecodeError("ascii", b"x", 0, 1, "why")
        syntax = SyntaxError("bad", ("f.py", 3, 4, "code"))
        """,
        after="""
        suffix = "t"
        shared.append(1)
        print(
            first,
            first.extra is shared,
            second,
            second.pair,
            second.__context__ is first,
            second.__suppress_context__,
        )
        print(
            repr(warning),
            stop.value is shared,
            system.code,
            unicode,
            unicode.object,
            syntax.lineno,
            syntax.text,
            syntax,
        )
        try:
            raise second
        except AppError as error:
            print(error is second, error.code)
        """,
    ),
    case(
        "groups of exceptions",
        """
        class Mine(ExceptionGroup):
            def derive(self, excs):
                return Mine(self.message, excs)


        class Bad(ValueError):
            def __init__(self, *, why):
                self.why = why


        bad = Bad(why="w")
        plain = ExceptionGroup("plain", [bad, KeyError("k")])
        nested = Mine("mine", [plain, OSError(2, "gone", "file")])
        nested.add_note("noted")
        """,
        after="""
        matched, rest = nested.split(ValueError)
        print(nested, type(matched) is Mine, matched.exceptions[0].exceptions[0] is bad, rest.exceptions[1].filename)
        print(nested.exceptions[0] is plain, nested.__notes__, bad.why, plain.exceptions[1].args)
        """,
    ),
    case(
        "the last exception, kept with what it was raised from",
        """
        def fail(n):
            return 1 / n


        try:
            try:
                fail(0)
            except ZeroDivisionError:
                raise LookupError("lost") from None
        except LookupError as error:
            kept = error
        """,
        after="print(repr(kept), repr(kept.__context__), kept.__cause__, kept.__suppress_context__)",
    ),
    case(
        "exceptions, also with their own constructor",
        """
        class E(Exception):
            def __init__(self, code, *, why):
                super().__init__(f"{code}: {why}")
                self.code = code


        caught = []
        try:
            try:
                raise E(4, why="x")
            except E as inner:
                raise ValueError("outer") from inner
        except ValueError as error:
            caught.append(error)
            error.add_note("note")


        class MyOS(OSError):
            def __init__(self, a, b, c):
                super().__init__(a, b)


        os_error = MyOS(2, "gone", 3)
        key = KeyError("k")
        missing = FileNotFoundError(2, "No such file", "f.csv")
        many = ExceptionGroup("g", [key])
        """,
        after="""
        e = caught[0]
        print(
            repr(e),
            e.__notes__,
            repr(e.__cause__),
            e.__cause__.code,
            type(e.__cause__) is E,
            repr(key),
            str(missing),
            missing.filename,
            os_error.errno,
            str(os_error),
            many,
            many.exceptions[0] is key,
        )
        """,
    ),
]
