import logging

import pytest

from connectors.redact import Secrets, SecretsFilter, guard_logging


@pytest.fixture
def secrets():
    made = Secrets()
    made.remember("s3cr3t/with+signs", "${APP_SECRET}")
    return made


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain s3cr3t/with+signs.", "plain ${APP_SECRET}."),
        ("in a URL: s3cr3t%2Fwith%2Bsigns", "in a URL: ${APP_SECRET}"),
        ("GET /user/get?access_token=79_abcDEF-1&next=2", "GET /user/get?access_token=***&next=2"),
        ("url: /x?appid=wx1&secret=abc&sign=DEF0", "url: /x?appid=wx1&secret=***&sign=***"),
        ("Authorization: Bearer eyJhbGci.x.y", "Authorization: ***"),
        ('{"access_token": "abc", "expires_in": 7200}', '{"access_token": "***", "expires_in": 7200}'),
        ("{'password': 'it\\'s', 'user': 'x'}", "{'password': '***', 'user': 'x'}"),
        ("postgresql+psycopg://erp:pa55@db:5432/x", "postgresql+psycopg://erp:***@db:5432/x"),
        ("买家 13800138000 / +8613900139001", "买家 138****8000 / +86139****9001"),
        ("order 2026112113800138000123", "order 2026112113800138000123"),
        ("errmsg: access_token expired rid: 68aeab", "errmsg: access_token expired rid: 68aeab"),
    ],
)
def test_secrets_and_phones_are_taken_out_of_text(secrets, text, clean):
    assert secrets.clean(text) == clean


def test_of_an_address_with_a_password_the_password_is_known_too(secrets):
    secrets.remember("mysql://reader:p%40ss-word@db/erp", "${ERP_URL}")
    assert secrets.clean("using password p@ss-word") == "using password ${ERP_URL}"


def test_an_excerpt_is_short_clean_and_printable(secrets):
    body = b'{"token":"abc","a":"\x00\x1b[31m' + "中".encode() * 500 + b"s3cr3t/with+signs"
    excerpt = secrets.excerpt(body)
    assert len(excerpt) <= 201
    assert excerpt.startswith('{"token":"***","a":"  [31m中中')
    assert secrets.excerpt(b"x" * 190 + b"s3cr3t/with+signs") == "x" * 190 + "${APP_SECR…"


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(logging.Formatter("%(message)s").format(record))


@pytest.fixture
def handler():
    kept = Kept()
    logger = logging.getLogger("somebody.else")
    logger.addHandler(kept)
    yield kept
    logger.removeHandler(kept)


def log_everything(logger):
    logger.error("url %s?%s", "http://x", "access_token=abc")
    logger.error("wrong %s %s", "s3cr3t/with+signs")  # noqa: PLE1206 a caller's mistake
    try:
        raise ValueError("s3cr3t/with+signs")
    except ValueError:
        logger.exception("failed for 13800138000")


def test_no_logger_of_the_process_shows_a_secret_once_logging_is_guarded(secrets, handler):
    before = logging.getLogRecordFactory()
    try:
        guard_logging(secrets)
        guard_logging(secrets)
        log_everything(logging.getLogger("somebody.else"))
    finally:
        logging.setLogRecordFactory(before)
    shown = "\n".join(handler.texts)
    assert "url http://x?access_token=***" in shown
    assert "ValueError: ${APP_SECRET}" in shown
    assert "138****8000" in shown
    assert "s3cr3t" not in shown


def test_a_single_handler_can_be_guarded_by_a_filter(secrets, handler):
    handler.addFilter(SecretsFilter(secrets))
    log_everything(logging.getLogger("somebody.else"))
    assert "s3cr3t" not in "\n".join(handler.texts)
