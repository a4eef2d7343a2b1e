"""What every command is given, and the options that every command takes."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from types import FrameType

    from sync.hub import Hub

EXAMPLE = "例 Example:"

Function = TypeVar("Function", bound=Callable[..., Any])


class Session:
    """One run of the command line: which folder, in what form the answer is wanted, and the open hub."""

    def __init__(self) -> None:
        self.folder = Path(os.environ.get("LIUKE_HOME") or ".")
        self.folder_given = False
        """Whether somebody named the folder, which is otherwise the current one or LIUKE_HOME."""
        self.as_json = False
        self.debug = False
        self.stopped_by: int | None = None
        """The signal that asked this process to stop."""

    @cached_property
    def hub(self) -> Hub:
        """The installation in the folder, closed when the command ends."""
        return self._opened(maps=True)

    @cached_property
    def reading_hub(self) -> Hub:
        """The same for commands that translate nothing: field maps are not read, which keeps Polars out."""
        return self._opened(maps=False)

    def _opened(self, *, maps: bool) -> Hub:
        from sync.hub import Hub

        hub = Hub.open(self.folder, maps=maps)
        click.get_current_context().call_on_close(hub.close)
        return hub

    def show(self, value: Any, page: Callable[[Any], None]) -> None:
        """Prints the answer: as JSON where that was asked for, else through `page`, which prints it for people."""
        from console.screen import say_json

        if self.as_json:
            say_json(value)
        else:
            page(value)

    @contextmanager
    def stoppable(self, event: threading.Event) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT set the event: what has landed is sealed before the process ends."""

        def stop(number: int, _frame: FrameType | None) -> None:
            self.stopped_by = number
            event.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def command(name: str, *, example: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a command with the options that all have; its help ends with an example."""

    def made(function: Callable[..., Any]) -> click.Command:
        settings.setdefault("short_help", _short(function.__doc__ or ""))
        decorate: Callable[[Callable[..., Any]], click.Command] = click.command(
            name, cls=click.Command, epilog=_epilog(example), **settings
        )
        return decorate(common_options(click.pass_obj(function)))

    return made


class CommandGroup(click.Group):
    """Commands under one noun, such as `liuke quarantine list`."""

    def add(self, name: str, *, example: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
        """Makes a command of this group."""

        def made(function: Callable[..., Any]) -> click.Command:
            made_command = command(name, example=example, **settings)(function)
            self.add_command(made_command)
            return made_command

        return made


def group(name: str, help: str) -> CommandGroup:
    """Makes a group of commands."""
    return CommandGroup(name, help=help, no_args_is_help=True)


def _short(text: str) -> str:
    """The first clause of the Chinese paragraph and of the English one, for the list of a group's commands."""
    chinese, _, english = text.partition("\n\n")
    first_zh, first_en = re.split(r"[:;。]", chinese)[0], re.split(r"[:;.]", english)[0]
    return f"{' '.join(first_zh.split())}。 {' '.join(first_en.split())}."


def _epilog(example: str) -> str:
    return "\b\n" + EXAMPLE + "\n" + "\n".join(f"  {line}" for line in example.splitlines())


def common_options(function: Function) -> Function:
    """Gives a command the options that all have; they may stand before or after the command's name."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


def _set(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        session = context.ensure_object(Session)
        setattr(session, str(parameter.name), value)
        session.folder_given = session.folder_given or parameter.name == "folder"


_COMMON = (
    click.option(
        "--folder",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_set,
        help="配置所在文件夹, 默认当前文件夹或 LIUKE_HOME。 Folder of liuke.yaml.",
    ),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        expose_value=False,
        callback=_set,
        help="输出 JSON。 Answer in JSON.",
    ),
    click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_set,
        help="出错时显示调用栈。 Show the traceback of an error.",
    ),
)
