from pathlib import Path

import pytest

from mappings.problems import LiukeError
from mappings.scores import load_definitions, read_definition
from mappings.scores.definitions import Rfm
from mappings.scores.reading import READERS, SHIPPED

RFM_TEXT = (SHIPPED / "rfm.yaml").read_text(encoding="utf-8")
TIERS_TEXT = (SHIPPED / "tiers.yaml").read_text(encoding="utf-8")


def problems_of(text: str) -> list[tuple[str, str]]:
    with pytest.raises(LiukeError) as error:
        read_definition(text, "mine.yaml")
    return [(problem.code, problem.where) for problem in error.value.problems]


def line_of(text: str, word: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if word in line)


def test_every_kind_ships_with_liuke() -> None:
    assert {definition.kind for definition in load_definitions().all()} == set(READERS)


def test_a_file_of_the_users_folder_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        RFM_TEXT.replace("version: 1", "version: 2").replace("window_days: 365", "window_days: 180"),
        encoding="utf-8",
    )
    definitions = load_definitions(tmp_path)
    assert (definitions.rfm.name, definitions.rfm.window_days) == ("rfm@2", 180)
    assert definitions.tiers.name == "tiers@1"


def test_a_folder_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    assert load_definitions(tmp_path / "none") == load_definitions()


def test_the_digest_changes_with_the_meaning_and_not_with_the_layout() -> None:
    digest = read_definition(RFM_TEXT, "a").digest
    assert read_definition("# another comment\n" + RFM_TEXT.replace("  ", "    "), "b").digest == digest
    assert read_definition(RFM_TEXT.replace("weight: 40", "weight: 41"), "c").digest != digest


def test_borders_in_yuan_become_stored_money() -> None:
    definition = read_definition(RFM_TEXT.replace("[300, ", "[299.99, "), "a")
    assert isinstance(definition, Rfm)
    assert definition.monetary.steps == (2_999_900, 10_000_000, 30_000_000, 80_000_000)


@pytest.mark.parametrize(
    ("old", "new", "code", "key"),
    [
        ("window_days: 365", "window_days: 0", "score.value", "window_days"),
        ("window_days: 365", "window_days: soon", "score.value", "window_days"),
        ("window_days: 365", "window_day: 365", "score.key-unknown", "window_day"),
        ("least_net_amount: 0.01", "least_net_amount: 0.00001", "score.value", "least_net_amount"),
        ("least_net_amount: 0.01", 'least_net_amount: "0.01"', "score.value", "least_net_amount"),
        ("least_net_amount: 0.01", "least_net_amount: .nan", "score.value", "least_net_amount"),
        ("method: thresholds", "method: guess", "score.value", "method"),
        ("[30, 60, 120, 240]", "[30, 60, 120]", "score.value", "recency.at_most"),
        ("[30, 60, 120, 240]", "[30, 60, 60, 240]", "score.value", "recency.at_most"),
        ("[30, 60, 120, 240]", "[30, 60, 90.5, 240]", "score.value", "recency.at_most"),
        ("version: 1", "version: 1.5", "score.value", "version"),
        ("version: 1", "version: 1\nversion: 2", "yaml.duplicate-key", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(old: str, new: str, code: str, key: str) -> None:
    text = RFM_TEXT.replace(old, new)
    found = problems_of(text)
    assert any(
        got == code and where.startswith("mine.yaml:") and where.endswith(f" key {key}" if key else "")
        for got, where in found
    ), found


def test_the_line_is_the_line_of_the_value() -> None:
    text = RFM_TEXT.replace("window_days: 365", "window_days: -1")
    assert problems_of(text) == [("score.value", f"mine.yaml:{line_of(text, 'window_days')} key window_days")]


def test_all_mistakes_are_told_at_once() -> None:
    text = RFM_TEXT.replace("window_days: 365", "window_days: -1").replace("weight: 40", "weight: none")
    assert [where.split()[-1] for _, where in problems_of(text)] == ["recency.weight", "window_days"]


def test_weights_of_nothing_are_refused() -> None:
    text = RFM_TEXT.replace("weight: 40", "weight: 0").replace("weight: 30", "weight: 0")
    assert problems_of(text)[0][0] == "score.weights-zero"


def test_quantiles_need_no_steps_and_refuse_them() -> None:
    assert problems_of(RFM_TEXT.replace("method: thresholds", "method: quantiles"))[0][0] == "score.steps-superfluous"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("at_least: 60", "at_least: 85"),  # out of order
        ("tier: B, at_least: 60", "tier: B"),  # a rest before the end
        ("tier: D,", "tier: D, above: 10,"),  # nobody takes the rest
    ],
)
def test_tiers_must_fall_and_the_last_must_take_the_rest(old: str, new: str) -> None:
    assert [code for code, _ in problems_of(TIERS_TEXT.replace(old, new))] == ["score.borders"]


def test_two_tiers_of_one_name_are_refused() -> None:
    assert [code for code, _ in problems_of(TIERS_TEXT.replace("tier: C", "tier: B"))] == ["score.name-twice"]


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b", "kind: nonsense\nversion: 1", "kind: [1"])
def test_what_is_no_definition_is_refused(text: str) -> None:
    assert problems_of(text)


def test_two_files_of_one_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TIERS_TEXT, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(TIERS_TEXT, encoding="utf-8")
    with pytest.raises(LiukeError) as error:
        load_definitions(tmp_path)
    assert [problem.code for problem in error.value.problems] == ["score.definition-twice"]


def test_a_file_in_gbk_is_named_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "tiers.yaml").write_bytes(TIERS_TEXT.encode("gbk"))
    with pytest.raises(LiukeError) as error:
        load_definitions(tmp_path)
    assert [problem.code for problem in error.value.problems] == ["file.not-utf8"]
