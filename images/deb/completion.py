"""The completion for bash, from the tree of commands: verbs, their options, and what has a fixed set of values."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from images.deb.tree import Command, Word, commands, walk

HEAD = """# bash completion of gateway(1); made from the program's own parser
_gateway() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= given i
    for ((i = 1; i < COMP_CWORD; i++)); do
        given=${COMP_WORDS[i]}
        case $given in -*) continue ;; esac
        case "$path/$given" in
"""
MIDDLE = """        esac
    done
    case "$path $before" in
"""
TAIL = """    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    case $word in -*) ;; *) [ -n "$files" ] && COMPREPLY+=($(compgen -f -- "$word")) ;; esac
}
complete -o filenames -F _gateway gateway
"""


def script() -> str:
    """The whole file."""
    return "".join(_lines(list(walk(commands()))))


def _lines(tree: list[Command]) -> Iterator[str]:
    yield HEAD
    for command in tree[1:]:
        yield f"            {_key(command)}) path={_key(command)} ;;\n"
    yield MIDDLE
    for command in tree:
        for word in command.words:
            for flag in word.flags if word.value else ():
                yield f"        {shlex.quote(f'{_key(command)} {flag}')}) {_values(word)}; return ;;\n"
    yield "    esac\n    local words= files=\n    case $path in\n"
    for command in tree:
        words = [*(c.path[-1] for c in command.commands), *(f for w in command.words for f in w.flags)]
        words += [choice for w in command.words if not w.flags for choice in w.choices]
        files = "yes" if any(_is_file(w) for w in command.words if not w.flags) else ""
        yield f"        {_key(command) or chr(39) * 2}) words={shlex.quote(' '.join(words))} files={files} ;;\n"
    yield TAIL


def _key(command: Command) -> str:
    return "".join(f"/{name}" for name in command.path)


def _is_file(word: Word) -> bool:
    return any(part in word.value for part in ("FILE", "DIR", "TRANSCRIPT", ".svg"))


def _values(word: Word) -> str:
    if word.choices:
        return f'COMPREPLY=($(compgen -W {shlex.quote(" ".join(word.choices))} -- "$word"))'
    return 'COMPREPLY=($(compgen -f -- "$word"))' if _is_file(word) else "COMPREPLY=()"
