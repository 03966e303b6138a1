"""Rule packs: every rule finds its failing examples and leaves its passing ones; bad packs say so."""

import re
from pathlib import Path

import pytest
import yaml

from guardrails.checks.legal import Legal
from guardrails.errors import PolicyError
from guardrails.packs import ALL, CompiledRule, Example, load
from guardrails.types import Brand, Brief, Item

LIBRARY = load()
LEGAL = Legal()

RULE = {
    "id": "no-moon",
    "kind": "block",
    "patterns": ["to the moon"],
    "jurisdictions": ["UK"],
    "sectors": ["all"],
    "source": "Moon Act 1969 s 1",
    "why": "Nobody may promise the moon.",
    "pass": ["Moonlight"],
    "fail": ["To the moon"],
}


def item(rule: CompiledRule, example: Example | str) -> Item:
    """`example` as the rule's own kind of brand would send it, under a brief that says little."""
    data = rule.rule
    text, brief = (example, None) if isinstance(example, str) else (example.text, example.brief)
    brief = brief or Brief()
    brief = brief.model_copy(
        update={
            "intent": brief.intent or (data.intents[0] if data.intents else "promotional"),
            "product": brief.product or "goods",
        }
    )
    sector = "" if data.sectors[0] == ALL else data.sectors[0]
    places = ["US", "UK", "EU"] if data.jurisdictions[0] == ALL else [data.jurisdictions[0]]
    preview = text if data.fields == ("preview",) else None
    return Item(text, preview, brief, None, Brand(sector=sector, jurisdictions=places))


@pytest.mark.parametrize("rule", LIBRARY.rules, ids=lambda rule: rule.rule.id)
def test_a_rule_finds_its_failing_examples_and_leaves_its_passing_ones(rule: CompiledRule) -> None:
    for example in rule.rule.failing:
        (result,) = LEGAL.run([item(rule, example)])
        severities = [each.severity for each in result.findings if each.rule == rule.rule.id]
        assert rule.rule.stated in severities, example
    for example in rule.rule.passing:
        (result,) = LEGAL.run([item(rule, example)])
        assert rule.rule.id not in {each.rule for each in result.findings}, example


@pytest.mark.parametrize("rule", LIBRARY.rules, ids=lambda rule: rule.rule.id)
def test_a_rule_says_why_in_one_sentence_and_names_its_source(rule: CompiledRule) -> None:
    assert rule.rule.why.endswith(".")
    assert re.search(r"\d", rule.rule.source), "a source names its section"


def test_no_text_that_a_pattern_matches_is_passed_over_by_its_literals() -> None:
    for rule in LIBRARY.rules:
        for example in rule.rule.failing:
            text = example if isinstance(example, str) else example.text
            for each in rule.patterns:
                if each.pattern.search(text):
                    for literals in each.literals:
                        assert any(literal in text.lower() for literal in literals), (text, each)


def write(folder: Path, **changes: object) -> Path:
    rule = {key: value for key, value in (RULE | changes).items() if value is not None}
    pack = {"name": "moon", "about": "The moon.", "rules": [rule]}
    (folder / "moon.yaml").write_text(yaml.safe_dump(pack))
    return folder


def test_a_good_pack_loads(tmp_path: Path) -> None:
    (rule,) = load(write(tmp_path)).rules
    assert rule.patterns[0].pattern.search("Straight to-the moon!")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"colour": "red"}, "colour"),
        ({"source": None}, "source"),
        ({"source": ""}, "source"),
        ({"why": None}, "why"),
        ({"kind": "forbid"}, "kind"),
        ({"pass": []}, "pass"),
        ({"fail": None}, "fail"),
        ({"patterns": ["(moon"]}, "patterns"),
        ({"patterns": ["moon.*"]}, "patterns"),
        ({"patterns": ["(moo{1,50}n){1,50}"]}, "patterns"),
        ({"patterns": ["<moons>"]}, "patterns"),
        ({"patterns": ["(?<=a|bc)moon"]}, "patterns"),
        ({"unless": ["moon+"]}, "unless"),
        ({"sectors": ["moons"]}, "sectors"),
        ({"severity": "block"}, "severity"),
        ({"kind": "evidence"}, "needs"),
        ({"needs": {"offer": ["ends"]}}, "needs"),
        ({"kind": "evidence", "needs": {"ends_on": "weekday"}}, "ends_on"),
        ({"kind": "evidence", "needs": {"facts": ["moon*"]}}, "needs.facts"),
    ],
)
def test_a_bad_pack_names_the_file_the_rule_and_the_key(
    tmp_path: Path, changes: dict[str, object], key: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(write(tmp_path, **changes))
    assert "moon.yaml" in str(caught.value)
    assert "no-moon" in str(caught.value)
    assert key in str(caught.value)


def test_two_rules_with_one_id_are_an_error(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "sun.yaml").write_text((tmp_path / "moon.yaml").read_text())
    with pytest.raises(PolicyError, match="no-moon: id"):
        load(tmp_path)


def test_an_empty_folder_and_a_broken_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"holds no \.yaml"):
        load(tmp_path)
    (tmp_path / "broken.yaml").write_text("rules: [")
    with pytest.raises(PolicyError, match=r"broken\.yaml"):
        load(tmp_path)
    (tmp_path / "broken.yaml").write_text("- a list")
    with pytest.raises(PolicyError, match=r"broken\.yaml"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "sector"),
    [
        ("B2B SaaS", "software"),
        ("credit union", "credit"),
        ("credit-unions", "deposits"),
        ("dietary supplements", "supplements"),
        ("app bank", "deposits"),
        ("car insurance", "insurance"),
        ("two-wheeler insurance", "insurance"),
        ("wine merchant", "alcohol"),
        ("estate agents", "housing"),
        ("job board", "jobs"),
        ("energy-suppliers", "energy"),
        ("Online Casino", "gambling"),
    ],
)
def test_a_sector_is_known_by_any_of_its_names(text: str, sector: str) -> None:
    assert sector in LIBRARY.sectors(text)


@pytest.mark.parametrize(
    ("text", "sector"),
    [("food bank", "deposits"), ("alcohol-free drinks", "alcohol"), ("car insurance", "cars")],
)
def test_a_longer_name_takes_its_words_away_from_a_shorter(text: str, sector: str) -> None:
    assert LIBRARY.sectors(text)
    assert sector not in LIBRARY.sectors(text)


def test_a_sector_that_no_pack_knows_is_none() -> None:
    assert LIBRARY.sectors("lighthouse-keeping") == frozenset()
