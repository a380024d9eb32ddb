"""The reply parser: what is code, where the reply ends, and that nothing is lost on the way."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outlast.interpreter.reply import Code, Part, ReplyParser, Text

#: Pieces that replies are made of; joined at random they hit every rule and many that nobody thought of.
PIECES = [
    "```", "````", "~~~", "``", "`", "python", "python3", "bash", "json", "markdown", "js", "cobol", " ", "   ", "    ",
    "\n", "\n\n", "\r\n", "x = 1", "print('python3')", '"""', "'''", "'", '"', "#", "\\", "cat <<EOF", "EOF", "<<-'E'",
    "`${", "}", "//", "/*", "*/", "/[`]/", "((", "))", "é", "\U0001f600", "\ud800", "\0", "Let's go.",
]  # fmt: skip
raw_replies = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=80)


def parse(chunks: list[str], complete: bool = True) -> tuple[ReplyParser, list[Part]]:
    parser, parts = ReplyParser(), []
    for chunk in chunks:
        parts += parser.feed(chunk)
    return parser, parts + parser.finish(complete)


def merged(parts: list[Part]) -> list[tuple[str, str]]:
    """Kind and text of each part, neighbours of one kind joined."""
    result: list[tuple[str, str]] = []
    for part in parts:
        kind = type(part).__name__
        if result and result[-1][0] == kind != "Code":
            result[-1] = (kind, result[-1][1] + part.text)
        else:
            result.append((kind, part.text))
    return result


@given(raw=raw_replies, cuts=st.lists(st.integers(0, 200)), complete=st.booleans())
@example(raw="a\n```python\nx = 1\n```  \nmore", cuts=[16, 17, 20, 21, 22], complete=True)
@example(raw="```sh\ncat <<EOF\n```\nEOF\n```\n", cuts=[1], complete=False)
def test_how_the_text_was_cut_on_its_way_changes_nothing(raw: str, cuts: list[int], complete: bool) -> None:
    whole, parts = parse([raw], complete)
    bounds = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    pieces, others = parse([raw[a:b] for a, b in itertools.pairwise(bounds)], complete)
    assert merged(others) == merged(parts)
    assert (pieces.cell, pieces.ended, pieces.length) == (whole.cell, whole.ended, whole.length)


@given(raw=raw_replies, complete=st.booleans())
def test_the_parts_joined_are_the_reply_to_the_character(raw: str, complete: bool) -> None:
    parser, parts = parse(list(raw), complete)
    assert "".join(part.text for part in parts) == raw[: parser.length]
    assert parser.length == len(raw) or parser.ended


@given(raw=raw_replies, complete=st.booleans())
def test_the_cell_is_the_one_code_part_and_lies_where_its_offsets_say(raw: str, complete: bool) -> None:
    parser, parts = parse([raw], complete)
    code = [part for part in parts if isinstance(part, Code)]
    if parser.cell is None:
        assert not code
    else:
        language, start, end = parser.cell
        assert code == [Code(language, raw[start:end])]


@given(raw=raw_replies)
def test_no_character_that_was_fed_before_the_end_is_taken_back(raw: str) -> None:
    parser, fed = ReplyParser(), 0
    for character in raw:
        parser.feed(character)
        if parser.ended:
            break
        fed += 1
        assert parser.length == fed
    assert parser.length >= fed


def test_a_reply_ends_at_its_first_closing_fence_and_what_follows_is_dropped() -> None:
    raw = "First:\n```python\nx = 1\n```"
    parser, parts = parse([raw + "\nSecond:\n```python\ny = 2\n```\n"])
    assert parser.ended
    assert parser.length == len(raw)
    assert [part for part in parts if isinstance(part, Code)] == [Code("python", "x = 1\n")]


def test_the_stream_can_be_closed_as_soon_as_the_closing_line_is_complete() -> None:
    parser = ReplyParser()
    parser.feed("```python\nx\n```")
    assert not parser.ended, "it may still become another line"
    parser.feed("\n")
    assert parser.ended


def test_the_language_word_stays_in_the_code() -> None:
    code = "subprocess.run(['python3', 'python'])  # python\n"
    _, parts = parse([f"```python\n{code}```\n"])
    assert Code("python", code) in parts


def test_of_two_blocks_the_first_is_the_cell() -> None:
    parser, _ = parse(["```python\nfirst()\n```\nthen\n```python\nsecond()\n```"])
    assert parser.cell == ("python", 10, 18)


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("", "python"), ("python", "python"), ("Python3", "python"), ("py", "python"), ("{python}", "python"),
        ("ipython", "python"), ("python title=x.py", "python"), ("bash", "shell"), ("sh", "shell"), ("zsh", "shell"),
        ("js", "javascript"), ("node", "javascript"), ("JavaScript", "javascript"), ("cobol", "cobol"), ("c++", "c++"),
    ],
)  # fmt: skip
def test_the_first_word_behind_the_fence_names_the_language(info: str, language: str) -> None:
    parser, _ = parse([f"```{info}\nx\n```\n"])
    assert parser.cell is not None
    assert parser.cell.language == language


@pytest.mark.parametrize("info", ["text", "json", "CSV", "markdown", "output", "console", "yaml", "html", "diff"])
def test_a_block_for_people_to_read_is_text_and_does_not_end_the_reply(info: str) -> None:
    raw = f"```{info}\nx = 1\n```\nand\n```python\ny\n```\n"
    parser, parts = parse([raw])
    assert parts[0] == Text(f"```{info}\nx = 1\n```\nand\n")
    assert parser.cell is not None
    assert raw[parser.cell.start : parser.cell.end] == "y\n"


def test_a_block_inside_a_markdown_block_is_not_run() -> None:
    parser, _ = parse(["```markdown\n# Usage\n```python\nx\n```\ndone\n```\nThat is the file."])
    assert parser.cell is None


@pytest.mark.parametrize("fence", ["```", "````", "~~~", "~~~~~"])
def test_a_fence_closes_with_at_least_as_many_of_the_same(fence: str) -> None:
    other = "~~~" if fence[0] == "`" else "```"
    code = f"{fence[:-1]}\n{other}\n{fence}x\nx {fence}\n"
    parser, parts = parse([f"{fence}python\n{code}{fence}{fence[0]}\n"])
    assert Code("python", code) in parts
    assert parser.ended


def test_an_indented_block_as_in_a_list_is_a_cell() -> None:
    parser, parts = parse(["1. Do this:\n   ```python\n   x = 1\n     ```\n2. Then"])
    assert parser.ended
    assert Code("python", "   x = 1\n") in parts


@pytest.mark.parametrize(
    "text", ["use `x` or ```x```", "```x = 1```\n", "    ```python\nx\n", "a ```python\nx\n", "``\nx\n``"]
)
def test_backticks_that_open_no_line_open_no_block(text: str) -> None:
    parser, parts = parse([text])
    assert parser.cell is None
    assert merged(parts) == [("Text", text)]


LITERALS = {
    "python, triple quotes": ("python", 'doc = """\n```\nx\n```\n"""\nprint(doc)\n'),
    "python, other triple quotes with quotes inside": ("python", "doc = '''it's \"\"\"\n```\n'''\n"),
    "python, raw and formatted": ("python", 'a = rf"""\\"\n```"""\nb = f\'\'\'{a!r}\n~~~\n```\n\'\'\'\n'),
    "python, an escaped quote": ("python", 's = """ \\"""\n```\n"""\n'),
    "python, a string continued by a backslash": ("python", "s = 'a\\\n```\\\nb'\n"),
    "shell, here-document": ("shell", "cat > README.md <<'EOF'\n```\nmake\n```\nEOF\ncat README.md\n"),
    "shell, two here-documents, one with tabs": ("shell", "cat <<-A - <<B\n```\n\tA\n```\nB\n"),
    "shell, quotes over lines": ("shell", "echo 'a\n```\n' \"b \\\"\n```\n\"\n"),
    "javascript, template with code in it": ("javascript", "const s = `a ${f({b: `c`})}\n\\`\n  ~~~\n`;\n"),
    "javascript, block comment": ("javascript", "/* it's\n```\n*/ f();\n"),
}


@pytest.mark.parametrize(("language", "code"), LITERALS.values(), ids=LITERALS.keys())
def test_a_fence_inside_a_literal_closes_nothing(language: str, code: str) -> None:
    fence = "~~~" if "~~~" in code and "```" not in code else "```"
    parser, parts = parse([f"{fence}{language}\n{code}{fence}\n"])
    assert parser.ended
    assert Code(language, code) in parts


PLAIN = {
    "python, a quote in a comment": ("python", "x = 1  # don't \"\"\"\n"),
    "python, a quote that its line ends": ("python", "!echo it's\nx = 'a\n"),
    "python, quotes of the other kind": ("python", "x = \"'''\" + '\"\"\"'\n"),
    "python, a doubled backslash": ("python", "x = '\\\\'\ny = '''\\\\'''\n"),
    "shell, a here-string and a shift": ("shell", "cat <<< word\necho $((1 << 3)) $((x<<y))\n"),
    "shell, a quote in a comment": ("shell", "ls # it's\necho ${#a} \\' done\n"),
    "javascript, a regular expression": ("javascript", "s.replace(/[`'\"/]/g, '').split(/`/)\n"),
    "javascript, a division and a comment": ("javascript", "x = a / b; // it`s\n"),
}


@pytest.mark.parametrize(("language", "code"), PLAIN.values(), ids=PLAIN.keys())
def test_what_only_looks_like_a_literal_does_not_keep_the_block_open(language: str, code: str) -> None:
    parser, parts = parse([f"```{language}\n{code}```\nmore"])
    assert parser.ended
    assert Code(language, code) in parts


def test_half_a_block_of_a_cut_stream_is_text() -> None:
    raw = "Now:\n```python\nshutil.rmtree(path\n```"
    parser, parts = parse([raw], complete=False)
    assert parser.cell is None
    assert merged(parts) == [("Text", raw)]


def test_a_block_that_the_model_left_open_at_its_end_is_a_cell() -> None:
    parser, parts = parse(["Now:\n```python\nx = 1"])
    assert not parser.ended
    assert parser.cell == ("python", 15, 20)
    assert parts[-1] == Code("python", "x = 1")


def test_a_closing_fence_without_a_line_break_at_the_end_closes() -> None:
    parser, _ = parse(["```python\nx\n```"])
    assert parser.ended
    assert parser.length == 15


def test_lines_that_end_as_on_windows_close_too() -> None:
    raw = "```python\r\nx = 1\r\n```\r\n"
    parser, parts = parse([raw])
    assert parser.ended
    assert Code("python", "x = 1\r\n") in parts


def test_a_fence_that_opens_on_the_last_line_is_text() -> None:
    parser, parts = parse(["Done.\n```"])
    assert parser.cell is None
    assert merged(parts) == [("Text", "Done.\n```")]


def test_an_empty_block_is_a_cell_so_that_the_model_is_told() -> None:
    parser, parts = parse(["```python\n```\n"])
    assert parser.cell == ("python", 10, 10)
    assert Code("python", "") in parts


def test_code_whose_string_never_ends_stops_at_the_first_fence() -> None:
    raw = '```python\ns = """oops\n```\nThis prints s.\n'
    parser, parts = parse([raw])
    assert Code("python", 's = """oops\n') in parts
    assert parser.length == len(raw)


def test_nothing_is_parsed_after_the_end() -> None:
    parser, _ = parse(["```python\nx\n```\n"])
    assert parser.feed("more\n```python\ny\n```\n") == []
    assert parser.finish(complete=True) == []
