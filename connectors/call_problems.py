"""Says to a person what a failed call means and what to do; never with a URL's query or a whole body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.answers import Verdict
from connectors.bookmarks import BEIJING
from connectors.outcomes import Outcome
from connectors.problems import Problem, Text
from connectors.redact import SECRETS

__all__ = ["budget_used", "cannot_connect", "no_token", "said_no", "unreachable"]

_WORDS: Mapping[Outcome, Text] = {
    Outcome.LATER: Text("对方限流", "the system asks to come back later"),
    Outcome.RETRIABLE: Text("对方暂时无法应答", "the system cannot answer for now"),
    Outcome.AUTH: Text("令牌不被接受", "the token is not accepted"),
    Outcome.REJECTED: Text("请求被拒绝", "the request was refused"),
    Outcome.FATAL: Text("配置或权限有误", "configuration or rights are wrong"),
}
_REMEDIES: Mapping[Outcome, Text] = {
    Outcome.LATER: Text("到时会自动重试", "it is tried again by itself"),
    Outcome.RETRIABLE: Text("下次同步会自动重试", "the next run tries again"),
    Outcome.AUTH: Text(
        "检查密钥是否正确、是否被停用: liuke test", "check the secret and whether it is in force: liuke test"
    ),
    Outcome.REJECTED: Text("按对方的提示修改数据或参数", "change data or parameters as the system says"),
    Outcome.FATAL: Text(
        "检查设置和对方后台的授权: liuke test", "check the settings and the rights granted: liuke test"
    ),
}


def said_no(vendor: str, where: str, verdict: Verdict, body: bytes) -> Problem:
    """The vendor's own code and words, in ours; the remedy of the rule that matched, or of the outcome."""
    rule = verdict.rule
    message = SECRETS.clean(verdict.message)[:200] or SECRETS.excerpt(body)
    what = rule.what if rule is not None and rule.what.zh else _WORDS[verdict.outcome]
    return Problem(
        f"{vendor}.{rule.name if rule is not None and rule.name else verdict.outcome.value}",
        Text(f"{what.zh} (代码 {verdict.code}: {message})", f"{what.en} (code {verdict.code}: {message})"),
        where,
        rule.do if rule is not None and rule.do.zh else _REMEDIES[verdict.outcome],
    )


def unreachable(vendor: str, where: str, reason: str) -> Problem:
    return Problem(
        f"{vendor}.unreachable",
        Text(f"没有得到应答 ({reason})", f"there was no answer ({reason})"),
        where,
        Text("检查网络和对方系统; 下次同步会自动重试", "check network and system; the next run tries again"),
    )


def cannot_connect(vendor: str, where: str, reason: str) -> Problem:
    return Problem(
        f"{vendor}.cannot-connect",
        Text(f"地址或证书有误 ({reason})", f"the address or the certificate is wrong ({reason})"),
        where,
        Text("检查设置中的地址; 自签证书用 ca_file 指定", "check the address; name a private certificate with ca_file"),
    )


def budget_used(vendor: str, where: str, until: datetime) -> Problem:
    at = until.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    return Problem(
        f"{vendor}.budget-used",
        Text(f"调用额度已用完, {at} 恢复", f"the call budget is used up until {at} (Beijing)"),
        where,
        Text("到时会自动重试; 也可调大间隔", "it is tried again by itself; a longer interval uses less"),
    )


def no_token(vendor: str, problem: Problem) -> Problem:
    """The token endpoint refused: `problem` is what it said."""
    return Problem(
        f"{vendor}.no-token",
        Text(f"取不到令牌: {problem.what.zh}", f"no token was given: {problem.what.en}"),
        problem.where,
        Text("检查账号和密钥: liuke test", "check account and secret: liuke test"),
    )
