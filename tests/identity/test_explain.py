"""Why two records are, or are not, one customer: in sentences, with masks only."""

import pytest

from mappings.identity.explain import describe, explain, path
from mappings.identity.graph import Identifier, MemoryGraph
from mappings.identity.partition import CODES, Refused
from mappings.identity.rules import DEFAULT

WANG = "oWANG00000000000000000000001"
LI = "oLI0000000000000000000000002"


def asked(known):
    """The store and the masks it keeps beside the digests."""
    graph = MemoryGraph(known.records, known.links, known.decisions, known.resolve().members)
    masks = {Identifier(*row[:3]): row[3] for row in known.links.select("kind", "scope", "digest", "mask").rows()}
    return graph, lambda identifiers: {i: masks[i] for i in identifiers}


def explained(known, record_no):
    explanation = explain(asked(known)[0], record_no, asked(known)[1])
    assert explanation is not None
    return explanation


@pytest.fixture(name="chain")
def chain_fixture(know):
    return know(
        [
            {"record_no": 1, "connector": "oa", "openid": "oOA0000000000000000000000001", "unionid": WANG},
            {"record_no": 2, "connector": "shop", "unionid": WANG, "phone": "13800010001"},
            {"record_no": 3, "connector": "erp", "name": "王芳", "phone": "13800010001", "email": "wf@corp.cn"},
            {"record_no": 4, "connector": "tickets", "email": "wf@corp.cn"},
        ]
    )


def test_the_path_between_two_records_names_each_shared_identifier_masked(chain):
    graph, masks = asked(chain)
    ties = path(graph, 1, 4, masks)
    assert ties is not None
    assert [(tie.record_a, tie.record_b) for tie in ties] == [(1, 2), (2, 3), (3, 4)]
    assert [tie.sentence.zh for tie in ties] == [
        "两条记录共用 UnionID oWAN****0001",
        "两条记录共用手机号 138****0001",
        "两条记录共用邮箱 w***@corp.cn",
    ]
    assert ties[1].sentence.en == "two records share the phone 138****0001"


def test_there_is_no_path_between_two_customers_and_an_empty_one_to_oneself(know, chain):
    graph, masks = asked(chain)
    assert path(graph, 3, 3, masks) == ()
    graph, masks = asked(know([{"record_no": 1, "phone": "13800010001"}, {"record_no": 2, "phone": "13900010002"}]))
    assert path(graph, 1, 2, masks) is None


def test_a_customer_is_explained_by_what_ties_each_record_to_it(chain):
    explanation = explained(chain, 4)
    assert (explanation.customer_id, explanation.component_id, explanation.records) == (1, 1, (1, 2, 3, 4))
    assert {tie.record_b for tie in explanation.ties} == {2, 3, 4}
    assert explanation.refused == ()


def test_a_refused_union_says_what_is_shared_and_what_differs(know):
    known = know(
        [
            {"record_no": 1, "name": "王芳", "unionid": WANG, "phone": "13800010001"},
            {"record_no": 2, "name": "李强", "unionid": LI, "phone": "13800010001"},
            {"record_no": 3, "name": None, "phone": "13800010001"},
        ]
    )
    explanation = explained(known, 2)
    (refused,) = explanation.refused
    assert refused.sentence.zh == "两条记录共用手机号 138****0001,但 UnionID 不同"
    assert refused.sentence.en == "two records share the phone 138****0001, but their UnionID differs"
    assert (refused.record_a, refused.record_b, refused.against, refused.open) == (1, 2, (1, 2), True)
    (undecided,) = explained(known, 3).refused
    assert (undecided.code, undecided.open) == ("ambiguous", False)


def test_what_a_person_decided_is_said(know):
    rows = [
        {"record_no": 1, "phone": "13800010001"},
        {"record_no": 2, "phone": "13800010001"},
        {"record_no": 3, "phone": "13900010002"},
    ]
    explanation = explained(know(rows, must_link=[(1, 3)], cannot_link=[(1, 2)]), 1)
    assert explanation.records == (1, 3)
    assert [tie.sentence.zh for tie in explanation.ties] == ["已人工确认为同一客户"]
    assert [row.sentence.zh for row in explanation.refused] == [
        "两条记录共用手机号 138****0001,但已人工确认不是同一客户"
    ]


def test_a_phone_over_the_cap_is_said_to_be_ignored_and_the_name_beside_it_to_count(know):
    cap = DEFAULT.by_kind["phone"].cap
    rows = [{"record_no": n, "name": "陈静" if n < 3 else None, "phone": "13700000007"} for n in range(1, cap + 2)]
    explanation = explained(know(rows), 1)
    assert [tie.sentence.zh for tie in explanation.ties] == ["两条记录的手机号 137****0007 与姓名都相同"]
    assert [row.sentence.zh for row in explanation.ignored] == [
        "手机号 137****0007 有 13 条记录共用,超过上限 12,不单独作为依据"
    ]


def test_no_explanation_shows_a_whole_identifier_or_name(know, chain):
    for known in (chain, know([{"record_no": 1, "name": "欧阳修文", "unionid": [WANG, LI]}])):
        text = repr(explained(known, 1))
        for secret in ("13800010001", "0001000", WANG, LI, "wf@corp", "王芳", "欧阳"):
            assert secret not in text


def test_a_record_that_does_not_exist_has_no_explanation(chain):
    graph, masks = asked(chain)
    assert explain(graph, 99, masks) is None


@pytest.mark.parametrize("code", CODES)
def test_every_reason_can_be_said_of_a_row_in_the_store(code):
    row = Refused(1, 1, 2, 1, 2, "phone", "", b"0" * 16, False, code, "unionid", "wx", 1, 2, True)
    sentence = describe(row, "138****0001")
    assert sentence.zh
    assert sentence.en
    by_decision = describe(row._replace(kind="unionid", digest=b""), "")
    assert code == "several_values" or by_decision.zh.startswith("已人工确认为同一客户,但")
