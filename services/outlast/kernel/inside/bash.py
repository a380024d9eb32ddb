"""The texts around a shell cell: what bash reads before it, and what lists everything that one cell leaves.

A list has a kind, a name and a text for each thing there is. The difference of two lists is made into statements that
give a new bash the same. All quoting of values is bash's own; nothing here parses shell code.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

Listed = dict[tuple[str, str], str]

#: Bytes of a list that are read at most: the largest state, and what else there was.
_most_bytes = 16 << 20

#: Variables that say something of one bash, or that it computes.
_of_one_shell = frozenset(
    (
        *("BASHOPTS", "BASHPID", "BASH_ALIASES", "BASH_ARGC", "BASH_ARGV", "BASH_ARGV0", "BASH_CMDS", "BASH_COMMAND"),
        *("BASH_EXECUTION_STRING", "BASH_LINENO", "BASH_SOURCE", "BASH_SUBSHELL", "BASH_XTRACEFD", "COPROC"),
        *("DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "FUNCNAME", "GROUPS", "HISTCMD", "LINENO", "PIPESTATUS"),
        *("PPID", "PWD", "RANDOM", "SECONDS", "SHELLOPTS", "SHLVL", "SRANDOM", "_"),
    )
)

#: Lists everything into the file `$1`: kind, name and text, each ended by NUL. Keeps the exit status `$2`.
#: A backslash before a command keeps aliases out, `builtin` functions; the names are read off `declare -p` because
#: `compgen` does not know arrays that are still empty.
_LIST = r"""
\builtin trap - DEBUG ERR RETURN
__outlast_list() {
    \builtin local __outlast_line __outlast_name
    \builtin local -a __outlast_lines
    \builtin printf 'directory\0\0'; \builtin pwd; \builtin printf '\0'
    \builtin printf 'mask\0\0'; \builtin umask -p; \builtin printf '\0'
    \builtin printf 'set\0\0'; \builtin set +o; \builtin printf '\0'
    \builtin printf 'shopt\0\0'; \builtin shopt -p; \builtin printf '\0'
    \builtin declare -p >|"$1.lines"
    \builtin mapfile -t __outlast_lines <"$1.lines"
    for __outlast_line in "${__outlast_lines[@]}"; do
        __outlast_name=${__outlast_line#declare -* }
        __outlast_name=${__outlast_name%%=*}
        # What only looks like it, within a value; and what would stay as it is here, in the last.
        case $__outlast_name in *[!a-zA-Z0-9_]* | BASH_COMMAND) \builtin continue ;; esac
        case $__outlast_line in
        declare\ -*)
            \builtin printf 'variable\0%s\0' "$__outlast_name"
            \builtin declare -p -- "$__outlast_name"
            \builtin printf '\0'
            ;;
        esac
    done
    \builtin declare -F >|"$1.lines"
    \builtin mapfile -t __outlast_lines <"$1.lines"
    for __outlast_line in "${__outlast_lines[@]}"; do
        __outlast_name=${__outlast_line#declare -* }
        \builtin printf 'function\0%s\0' "$__outlast_name"
        \builtin declare -f -- "$__outlast_name"
        \builtin printf '\0attributes\0%s\0%s\0' "$__outlast_name" "${__outlast_line%" $__outlast_name"}"
    done
    for __outlast_name in "${!BASH_ALIASES[@]}"; do
        \builtin printf 'alias\0%s\0%s\0' "$__outlast_name" "${BASH_ALIASES[$__outlast_name]}"
    done
    \builtin printf 'end\0\0\0'
}
__outlast_list "$1" >|"$1" || \builtin :
\builtin unset -f __outlast_list
# Else errexit would end the shell before the cell's own trap.
[[ $2 == 0 ]] || \builtin set +e
\builtin return "$2"
"""

#: A `trap` that keeps ours before the cell's own when the cell sets, resets or shows the one for EXIT.
_TRAP = r"""
trap() {
    { \builtin local -; \builtin set +eux; } 2>/dev/null
    \builtin local __outlast_one __outlast_exit=$(($# < 2)) __outlast_status
    \builtin local -a __outlast_set
    for __outlast_one in "$@"; do
        case $__outlast_one in 0 | [Ee][Xx][Ii][Tt] | [Ss][Ii][Gg][Ee][Xx][Ii][Tt]) __outlast_exit=1 ;; esac
    done
    if ((BASH_SUBSHELL || !__outlast_exit)); then
        \builtin trap "$@"
        \builtin return
    fi
    __outlast_one=$(\builtin trap -p EXIT)
    \builtin eval "__outlast_set=(${__outlast_one#trap })"
    __outlast_one=${__outlast_set[1]#OURS}
    \builtin trap -- "${__outlast_one:--}" EXIT
    \builtin trap "$@"
    __outlast_status=$?
    __outlast_one=$(\builtin trap -p EXIT)
    \builtin eval "__outlast_set=(${__outlast_one#trap })"
    \builtin trap -- OURS"${__outlast_set[1]#OURS}" EXIT
    \builtin return "$__outlast_status"
}
"""

#: Variables for a bash whose cell is to have functions of a state: what is defined within a function that came with the
#: environment names the same source in its messages as a cell's own.
DEFINER = {"BASH_FUNC___outlast_define%%": '() { \\builtin eval "$1"\n}'}


def write_prologue(place: Path, own: str | None, changes: Listed) -> dict[str, str]:
    """Write into `place` what gives a new bash these changes and lists what it had before and at its end.

    Returns what its environment must have besides. `own`: what BASH_ENV is for the cell.
    """
    listing, start, end, state = (shlex.quote(str(place / name)) for name in ("list", "start", "end", "state"))
    ours = shlex.quote(f'{{ \\builtin . {listing} {end} "$?"; }} 2>/dev/null\n')
    prologue = [
        "\\builtin unset -v BASH_ENV" if own is None else f"\\builtin export BASH_ENV={shlex.quote(own)}",
        # As where people type: an alias is for the lines after it.
        "\\builtin shopt -s expand_aliases",
        _TRAP.replace("OURS", ours),
        f"\\builtin . {listing} {start} 0 2>/dev/null",
        f"\\builtin trap -- {ours} EXIT",
        # Last, because its options hold from here on; in a file of its own, so that they show nothing of this one.
        f"\\builtin . {state} 2>/dev/null",
    ]
    (place / "list").write_text(_LIST)
    (place / "prologue").write_text("\n".join(prologue) + "\n", "utf-8", "surrogateescape")
    (place / "state").write_text("\n".join(_statements(changes)) + "\n", "utf-8", "surrogateescape")
    return {"BASH_ENV": str(place / "prologue"), **DEFINER}


def read_lists(place: Path) -> tuple[Listed, Listed] | None:
    """What there was before the cell and at its end; None if either is not whole."""
    start, end = _read(place / "start"), _read(place / "end")
    return None if start is None or end is None else (start, end)


def has_begun(place: Path, name: str) -> bool:
    """Whether the shell has at least begun with this list, "start" or "end"."""
    return (place / name).exists()


def _read(path: Path) -> Listed | None:
    try:
        with path.open("rb") as file:
            data = file.read(_most_bytes)
    except OSError:
        return None
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    if fields[-4:] != ["end", "", "", ""] or len(fields) % 3 != 1:
        return None
    triples = zip(fields[:-4:3], fields[1:-4:3], fields[2:-4:3], strict=True)
    return {
        (kind, name): text
        for kind, name, text in triples
        if not name.startswith("__outlast_") and not (kind == "variable" and (name in _of_one_shell or not text))
    }


def _statements(changes: Listed) -> list[str]:
    """Statements by kind, in the order that they depend on one another; one that fails does not spoil the rest."""
    by_kind: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for (kind, name), text in changes.items():
        if kind in by_kind:
            by_kind[kind] += _KINDS[kind](shlex.quote(name), name, text)
    # Functions are defined: what does that is to be seen no more.
    by_kind["attributes"].append("\\builtin unset -f __outlast_define")
    return [statement for statements in by_kind.values() for statement in statements]


def _as_it_is(quoted: str, name: str, text: str) -> list[str]:
    return [f"\\builtin eval {shlex.quote(text)}"]


def _variable(quoted: str, name: str, text: str) -> list[str]:
    # Unset first: attributes that it has from the environment would stay.
    return [f"\\builtin unset -v -- {quoted}", *(_as_it_is(quoted, name, text) if text else ())]


def _function(quoted: str, name: str, text: str) -> list[str]:
    return [f"__outlast_define {shlex.quote(text)}" if text else f"\\builtin unset -f -- {quoted}"]


def _attributes(quoted: str, name: str, text: str) -> list[str]:
    return [f"\\builtin {text} -- {quoted}"] if re.fullmatch(r"declare -f[rtx]+", text) else []


def _alias(quoted: str, name: str, text: str) -> list[str]:
    return [f"\\builtin alias -- {shlex.quote(f'{name}={text}')}"] if text else []


#: The pattern syntax that functions are written in comes before them, and aliases, which would change them, after.
_KINDS = {
    "mask": _as_it_is,
    "shopt": _as_it_is,
    "variable": _variable,
    "function": _function,
    "attributes": _attributes,
    "alias": _alias,
    "set": _as_it_is,
}
