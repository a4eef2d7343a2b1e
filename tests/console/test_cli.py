import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

from connectors.problems import ConnectorError, Problem, Text
from connectors.redact import SECRETS
from console import commands
from console.cli import liuke
from console.session import EXAMPLE

ROOT = Path(__file__).resolve().parents[2]


def every_command():
    """Each command with the words that call it, groups included."""

    def below(command, words):
        yield words, command
        if isinstance(command, click.Group):
            for name, one in sorted(command.commands.items()):
                yield from below(one, (*words, name))

    for name in liuke.list_commands(click.Context(liuke)):
        yield from below(liuke.get_command(click.Context(liuke), name), (name,))


EVERY = list(every_command())
LEAVES = [(words, one) for words, one in EVERY if not isinstance(one, click.Group)]


def named(pairs):
    return pytest.mark.parametrize(("words", "command"), pairs, ids=[" ".join(words) for words, _ in pairs])


def program(*arguments, cwd=None, **environment):
    """`liuke` as a real process."""
    return subprocess.run(
        [sys.executable, "-m", "console.cli", *arguments],
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        check=False,
    )


# ---- Commands are found and say what they do ------------------------------------------------------


def test_every_module_is_a_command():
    found = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert found == {words[0] for words, _ in EVERY}
    assert {"init", "doctor", "connectors", "test"} <= found


@named(EVERY)
def test_every_command_says_what_it_is_in_both_languages(words, command):
    text = command.get_short_help_str(200)
    assert any("一" <= sign <= "鿿" for sign in text), text
    assert any(sign.isascii() and sign.isalpha() for sign in text), text


@named(LEAVES)
def test_every_command_shows_an_example_of_itself(words, command):
    shown = (command.epilog or "").split(EXAMPLE)[-1].split("\n")
    examples = [line.strip() for line in shown if line.strip()]
    assert examples
    assert all(line.startswith(" ".join(["liuke", *words])) for line in examples)


@named(LEAVES)
def test_every_example_uses_options_that_exist(words, command):
    shown = (command.epilog or "").split(EXAMPLE)[-1].split()
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in shown if word.startswith("--")} <= options


# ---- What goes wrong ------------------------------------------------------------------------------


def test_a_mistyped_command_names_the_near_one(run):
    ran = run("conectors")
    assert ran.code == 2
    assert "是不是 connectors" in ran.err


@pytest.mark.parametrize("arguments", [["doctor", "--nosuch"], ["test"], ["doctor", "extra"]])
def test_wrong_use_is_exit_code_2(run, arguments):
    assert run(*arguments).code == 2


def raising(monkeypatch, error):
    """Makes `liuke doctor` fail in that way."""

    def examine(_folder):
        raise error

    monkeypatch.setattr("sync.doctor.examine", examine)


def test_an_error_is_told_in_its_four_parts_chinese_first_on_stderr(run, monkeypatch):
    problem = Problem("x.y", Text("出错了", "it failed"), "erp/orders", Text("再试", "try again"))
    raising(monkeypatch, ConnectorError(problem))
    ran = run("doctor")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err == str(problem) + "\n"
    assert ran.err.index("出错了") < ran.err.index("it failed") < ran.err.index("erp/orders") < ran.err.index("再试")


def test_secrets_and_persons_stay_out_of_what_is_told(run, monkeypatch):
    SECRETS.remember("hunter2hunter2", "${ERP_PASSWORD}")
    raising(monkeypatch, RuntimeError("13812345678 cannot log in with hunter2hunter2"))
    ran = run("doctor", "--debug")
    assert ran.code == 1
    assert "138****5678 cannot log in with ${ERP_PASSWORD}" in ran.err
    assert "hunter2" not in ran.err
    assert "13812345678" not in ran.err


def test_a_traceback_is_shown_only_when_it_is_asked_for(run, monkeypatch):
    raising(monkeypatch, RuntimeError("a bug"))
    assert "Traceback" not in run("doctor").err
    assert "Traceback" in run("doctor", "--debug").err
    assert "Traceback" in run("--debug", "doctor").err


def test_the_folder_may_be_named_before_and_after_the_command(run, tmp_path):
    for arguments in (["--folder", str(tmp_path / "a"), "init"], ["init", "--folder", str(tmp_path / "b")]):
        assert run(*arguments).code == 0
    assert (tmp_path / "a" / "liuke.yaml").exists()
    assert (tmp_path / "b" / "liuke.yaml").exists()


# ---- Consoles -------------------------------------------------------------------------------------

CONSOLES = {
    "gbk": {"PYTHONIOENCODING": "gbk"},
    "ascii": {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": ""},
    "posix": {"LC_ALL": "POSIX", "PYTHONIOENCODING": ""},
}
ENCODINGS = {"gbk": "gbk", "ascii": "utf-8", "posix": "utf-8"}  # click writes its help in UTF-8 where nobody said GBK

SEVERAL = """
import sys
from console.cli import liuke
for arguments in (["init"], ["--help"], ["doctor"], ["doctor", "--json"], ["connectors", "sql"], ["\\u6ca1\\u6709"]):
    try:
        liuke.main(arguments)
    except SystemExit as ended:
        print("ended", ended.code, flush=True)
"""


@pytest.mark.parametrize("console", CONSOLES)
def test_nothing_that_is_said_can_fail_on_any_console(tmp_path, console):
    environment = os.environ | {"LIUKE_HOME": str(tmp_path)} | CONSOLES[console]
    done = subprocess.run([sys.executable, "-c", SEVERAL], cwd=ROOT, env=environment, capture_output=True, check=False)
    said = done.stdout.decode(ENCODINGS[console])
    assert [line for line in said.splitlines() if line.startswith("ended")] == [
        f"ended {n}" for n in (0, 0, 0, 0, 0, 2)
    ]
    assert "UnicodeEncodeError" not in said + done.stderr.decode(ENCODINGS[console])


def test_a_gbk_console_gets_symbols_it_knows_and_chinese(tmp_path):
    said = program("doctor", LIUKE_HOME=str(tmp_path), PYTHONIOENCODING="gbk").stdout.decode("gbk")
    assert "√ 目录名无冲突" in said
    assert "× 配置 liuke.yaml" in said


def test_a_console_without_chinese_gets_english_without_question_marks(tmp_path):
    said = program("doctor", LIUKE_HOME=str(tmp_path), **CONSOLES["ascii"]).stdout.decode("ascii")
    assert "[X] configuration liuke.yaml" in said
    assert "do: make one: liuke init" in said
    assert "?" not in said


@pytest.mark.parametrize("console", ["gbk", "ascii"])
def test_json_can_be_read_whatever_the_console_prints(console):
    printed = program("connectors", "--json", **CONSOLES[console]).stdout.decode("ascii")
    assert {"zh": "SQL 数据库", "en": "SQL database"} in [one["title"] for one in json.loads(printed)]


# ---- Signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_process_that_is_stopped_says_so_by_its_exit_code(tmp_path, number, code):
    script = textwrap.dedent("""
        import time
        import sync.doctor
        from console.cli import main
        def slow(folder):
            print("ready", flush=True)
            time.sleep(60)
        sync.doctor.examine = slow
        import sys; sys.argv = ["liuke", "doctor"]
        main()
    """)
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.wait(20) == code
    process.stdout.close()


def test_work_that_can_stop_is_asked_to_and_the_exit_code_names_the_signal(tmp_path):
    script = textwrap.dedent("""
        import click, sys, threading
        import sync.doctor
        from console.cli import main
        from console.session import Session
        class Sealed(BaseException): pass
        def work(folder):
            session = click.get_current_context().find_object(Session)
            stop = threading.Event()
            with session.stoppable(stop):
                print("ready", flush=True)
                assert stop.wait(60)
                print("sealed", flush=True)
                raise Sealed
        sync.doctor.examine = work
        sys.argv = ["liuke", "doctor"]
        main()
    """)
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.stdout.readline() == b"sealed\n"
    assert process.wait(20) == 143
    process.stdout.close()


# ---- What others say about commands ---------------------------------------------------------------

SOURCES = [
    path
    for folder in ("connectors", "mappings", "state", "quality", "sync", "console", "docs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".j2", ".yaml", ".md"}
]
GROUPS = {words[0] for words, command in EVERY if isinstance(command, click.Group)}
PROSE = {"identity", "with", "itself"}
"""`liuke identity` is the purpose of a key, "engine: liuke with an implementation" an error of a contract."""


def commands_told():
    """Every `liuke xyz` that a message or a page tells people to run, with the place."""
    for path in SOURCES:
        for line in path.read_text(encoding="utf-8").splitlines():
            for first, second in re.findall(r"(?:[\"`$({]|: |^ *)liuke ([a-z]{4,})(?: ([a-z]+))?(?![\w.])", line):
                words = (first, second) if first in GROUPS and second else (first,)
                yield words, f"{path.relative_to(ROOT)}: {line.strip()}"


def test_every_command_that_people_are_told_to_run_exists():
    told = list(commands_told())
    assert len(told) > 40
    known = {words for words, _ in EVERY}
    assert [place for words, place in told if words not in known and words[0] not in PROSE] == []
