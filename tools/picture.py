"""Turn a recorded terminal session (standard input, with its colours) into the picture of the README.

    script -qec 'make demo' /dev/null | .venv/bin/python tools/picture.py docs/resume.svg

Keeps the part that matters: from the reply before the kill until the interrupted cell is done again.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

#: Lines of one kind that are shown in a row; the rest is left out.
MOST_ALIKE = 3


def main(target: str) -> None:
    """Write the picture to `target`."""
    # A status line at the bottom is drawn over and over: what counts of a line is what it ends as.
    lines = [re.split(r"\r(?=.)|\x1b\[2K", line.rstrip("\r\n"))[-1] for line in sys.stdin]
    shown: list[Text] = []
    alike, showing = 0, False
    for line in lines:
        text = Text.from_ansi(re.sub(r"\x1b\[\?25[lh]|\x1b\[\d*[AG]", "", line))
        plain = text.plain.strip()
        if re.match(r"[\u2800-\u28ff] ", plain):
            continue  # what the bottom line said last
        showing = (showing or plain.startswith("Reply 3")) and not plain.startswith("Reply 4")
        if not showing or not plain:
            continue
        alike = alike + 1 if re.match(r"│ part", plain) else 0
        if alike <= MOST_ALIKE:
            shown.append(text)
        elif alike == MOST_ALIKE + 1:
            shown.append(Text("    │ …", style="dim"))
    console = Console(record=True, width=120, file=open("/dev/null", "w"))  # noqa: SIM115  # recorded, not shown
    for text in shown:
        console.print(text, soft_wrap=True)
    picture = console.export_svg(title="make demo", clear=False)
    # The fonts would be fetched from elsewhere; what the reader's machine has will do.
    picture = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", picture, flags=re.DOTALL)
    # Some renderers drop spaces at the start of a text, no-break ones too, and stretch the rest.
    picture = re.sub(r'(<text class="[^"]*") ', r'\1 xml:space="preserve" ', picture)
    Path(target).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
