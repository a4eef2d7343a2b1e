"""The command line: `liuke COMMAND`. Commands are the modules of console/commands, each loaded when it is named."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any, NoReturn

import click

from connectors.problems import ConnectorError
from connectors.redact import SECRETS, guard_logging
from console import commands, screen
from console.session import Session, common_options
from mappings.documents import near
from mappings.problems import LiukeError, Problem, Text

DONE = 0
FAILED = 1
WRONG_USE = 2


class Stop(BaseException):
    """A signal asked the process to end, in a place where nothing has to be sealed first."""


class Commands(click.Group):
    """The root: finds commands by the names of their modules, and turns what happens into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found = getattr(importlib.import_module(f"{commands.__name__}.{cmd_name}"), cmd_name)
        assert isinstance(found, click.Command)  # noqa: S101 a mistake of ours
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            hint = near(args[0], self.list_commands(ctx))
            ctx.fail(f"没有命令 {args[0]}: {hint.zh}  There is no command {args[0]}. {hint.en}")
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        screen.prepare()
        guard_logging()
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        session = Session()
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            code = self._run(session, args, prog_name, complete_var, extra)
        finally:
            signal.signal(signal.SIGTERM, before)
        sys.exit(code)

    def _run(
        self,
        session: Session,
        args: Sequence[str] | None,
        prog_name: str | None,
        complete_var: str | None,
        extra: dict[str, Any],
    ) -> int:
        try:
            ended = super().main(args, prog_name or "liuke", complete_var, standalone_mode=False, obj=session, **extra)
        except click.UsageError as error:
            error.show()
            return WRONG_USE
        except click.ClickException as error:
            error.show()
            return FAILED
        except (LiukeError, ConnectorError) as error:
            screen.say_problems(error.problems)
            _trace(session, error)
            return FAILED
        except click.Abort:
            return 128 + signal.SIGINT
        except Exception as error:  # noqa: BLE001 the top of the program: whatever it was, it is told
            screen.say_problems([_unexpected(error)])
            _trace(session, error)
            return FAILED
        except BaseException as error:
            if not isinstance(error, Stop) and session.stopped_by is None:
                raise
            return 128 + (session.stopped_by or signal.SIGTERM)
        return ended if isinstance(ended, int) else DONE


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Stop


def _trace(session: Session, error: BaseException) -> None:
    if session.debug:
        text = "".join(traceback.format_exception(error))
        screen.say(SECRETS.clean(text), error=True)


def _unexpected(error: Exception) -> Problem:
    said = f"{type(error).__name__}: {error}"
    return Problem(
        "liuke.unexpected",
        Text(f"留客自身出错: {said}", f"Liuke itself failed: {said}"),
        _place(error),
        Text(
            "加 --debug 再运行一次, 把输出交给维护者",
            "run it again with --debug and give the output to the maintainers",
        ),
    )


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _version() -> str:
    try:
        return version("liuke")
    except PackageNotFoundError:
        return "0 (not installed)"


@click.group(
    "liuke",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""留客 · 客户数据中枢  Liuke, the customer data hub

    \b
    第一次使用  First steps:
      liuke demo          看一家模拟公司的完整流程  a made-up company, end to end
      liuke init          建立自己的配置  start a configuration of your own
      liuke doctor        检查配置与环境  check configuration and environment
    """,
)
@click.version_option(_version(), prog_name="liuke")
@common_options
def liuke() -> None:
    """Runs before every command; the options have been kept by then."""


def main() -> NoReturn:
    """The program `liuke`."""
    liuke.main()


if __name__ == "__main__":
    main()
