"""The commands of ``gateway`` as a plain tree, read from the very parser that runs them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.cli import command_line


@dataclass(frozen=True, slots=True)
class Word:
    """One option, or one operand (``flags`` empty). ``value`` is what stands for its value, "" if it takes none."""

    flags: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    required: bool
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """``path`` is empty for the program itself, ("exam", "start") for a verb of a verb."""

    path: tuple[str, ...]
    help: str
    epilog: str
    words: tuple[Word, ...]
    commands: tuple[Command, ...]


def commands() -> Command:
    """The whole tree."""
    parser = command_line()
    return _command(parser, (), parser.description or "")


def _command(parser: argparse.ArgumentParser, path: tuple[str, ...], text: str) -> Command:
    words, below = [], []
    for action in parser._actions:  # argparse has no other way to look into it
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below += [_command(sub, (*path, name), said.get(name, "")) for name, sub in action.choices.items()]
        else:
            words.append(_word(action))
    return Command(path, text, parser.epilog or "", tuple(words), tuple(below))


def _word(action: argparse.Action) -> Word:
    choices = tuple(map(str, action.choices or ()))
    value = ""
    if action.nargs != 0:
        shown = action.metavar or ("|".join(choices) if choices and len(choices) < 6 else action.dest.upper())
        value = f"{shown} ..." if action.nargs in ("+", "*") else str(shown)
    required = action.required if action.option_strings else action.nargs not in ("?", "*")
    said = (action.help or "") % {**vars(action), "prog": "gateway"}
    return Word(tuple(action.option_strings), value, choices, required, said)


def walk(command: Command) -> Iterator[Command]:
    """It, and all below it."""
    yield command
    for below in command.commands:
        yield from walk(below)
