"""Every number, price, percentage, date, code and name in a variant is in its brief.

`data/grounding.jsonl` holds hand-written variants of forty brands, and the same with one fact
edited.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrails.checks.grounding import EXAMPLES_PASS, Grounding
from guardrails.types import Brand, Brief, Finding, Item, Segment

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "grounding.jsonl").read_text("utf-8").splitlines()
]
KNITWEAR = EXAMPLES_PASS[0]

INVENTED = """
Free returns on everything.|Money-back guarantee.|Next-day delivery included.|Guaranteed for life.
Our lowest price ever.|The best in the business.|Award-winning.|As seen in The Guardian.
Recommended by dermatologists.|Customers love it.|Our bestseller.|Selling fast.|Almost gone.
Trusted by thousands of families.|Rated 5 stars.|Now in Manchester.|The cheapest around.
The world's finest.|Cashback for everyone.|Lifetime warranty.|No strings attached.|No fees at all.
Double points this week.|Interest-free credit.|Clinically proven.|Black Friday starts early.
Join millions of happy users.|Voted best by readers.|Everyone is talking about it.|Going viral.
Only 3 left.|Use code BONUS22.|Save £45 now.|Half price today.|Since 1931.|Up to 85% less.
"""


def item(case: dict[str, Any]) -> Item:
    return Item(
        case["subject"],
        case["preview"],
        Brief.model_validate(case["brief"]),
        Segment.model_validate(case["segment"]),
        Brand.model_validate(case["brand"]),
    )


def edits() -> Iterator[tuple[Item, str, str]]:
    for case in CASES:
        for edit in case["edits"]:
            yield replace(item(case), **{edit["field"]: edit["text"]}), edit["kind"], edit["field"]


def findings(given: Item) -> list[Finding]:
    (result,) = Grounding().run([given])
    return result.findings


def rules(subject: str, given: Item = KNITWEAR) -> set[tuple[str, str]]:
    return {
        (each.rule, each.severity) for each in findings(replace(given, subject=subject, preview=""))
    }


def test_no_grounded_variant_is_blocked() -> None:
    results = Grounding().run([item(case) for case in CASES])
    severities = [{each.severity for each in result.findings} for result in results]
    assert not any("block" in each for each in severities)
    assert sum(1 for each in severities if each) <= 0.1 * len(CASES)


def test_an_edited_fact_is_found_in_at_least_99_of_100() -> None:
    cases = list(edits())
    assert len(cases) > 100
    missed = [
        (getattr(edited, field), kind)
        for (edited, kind, field), result in zip(
            cases, Grounding().run([edited for edited, _, _ in cases]), strict=True
        )
        if field not in {each.field for each in result.findings}
    ]
    assert len(missed) <= 0.01 * len(cases), missed


def test_an_invented_claim_is_found_in_at_least_90_of_100() -> None:
    claims = [claim for line in INVENTED.strip().splitlines() for claim in line.split("|")]
    grounded = [each for each in map(item, CASES) if not findings(each)][:20]
    missed = [
        claim
        for claim in claims
        for result in Grounding().run([replace(each, preview=claim) for each in grounded])
        if not result.findings
    ]
    assert len(missed) <= 0.1 * len(claims) * len(grounded), missed


def test_without_a_brief_there_is_nothing_to_judge_by() -> None:
    (result,) = Grounding().run([Item("9% off", None)])
    assert not result.applicable


def test_the_score_is_the_share_of_the_claims_that_are_borne() -> None:
    half, whole, none = Grounding().run(
        [
            replace(KNITWEAR, subject=subject, preview=None)
            for subject in ("15% off, or £9 off", "15% off", "A jumper")
        ]
    )
    assert [each.scores["grounding"] for each in (half, whole, none)] == [0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("subject", "rule", "severity"),
    [
        ("Jumpers under £65", "price", "review"),
        ("$64 a jumper", "price", "block"),
        ("Ends 6 November", "date", "block"),
        ("Ends Monday 6 October", "date", "block"),
        ("Black Friday comes early", "date", "review"),
        ("Use FIRSTLAYERS", "code", "block"),
        ("use code wool15", "code", "block"),
        ("In two minds? Have both", "number", "review"),
        ("Free delivery", "invented_benefit", "block"),
        ("A free hat with every jumper", "invented_benefit", "review"),
        ("The softest jumper in the world", "superlative", "review"),
        ("40 colours", "implied_change", "review"),
    ],
)
def test_each_rule_has_its_severity(subject: str, rule: str, severity: str) -> None:
    assert (rule, severity) in rules(subject)


def test_half_and_a_fifth_are_percentages_both_ways() -> None:
    brief = Brief(product="boots", facts=("Half price until Sunday", "20% off socks"))
    given = Item("", None, brief)
    assert not rules("50% off, and a fifth off socks", given)
    assert rules("40% off, and a third off socks", given) == {("percentage", "block")}


def test_the_end_of_an_offer_counts_in_its_own_time_zone() -> None:
    brief = Brief.model_validate({"offer": {"text": "5% off", "ends": "2027-03-15T00:00:00+13:00"}})
    given = Item("", None, brief)
    assert not rules("5% off to midnight on Sunday", given)
    assert not rules("5% off until 15 March", given)
    assert rules("5% off until Saturday", given) == {("date", "block")}


def test_merge_tags_are_no_claims_and_keep_their_place() -> None:
    text = '{{ town | default: "Leeds 7" }}, now €9'
    (found,) = findings(replace(KNITWEAR, subject=text, preview=None))
    assert text[found.start : found.end] == "€9"


def test_a_finding_shows_the_words_in_the_text_as_it_was_given() -> None:
    text = "\u200bNow \uff11\uff16% off 👋"
    (found,) = findings(replace(KNITWEAR, subject=text, preview=None))
    assert text[found.start : found.end] == "\uff11\uff16%"


def test_another_language_is_judged_by_its_figures_and_by_english_claims() -> None:
    brief = Brief(product="Pullover", language="de", facts=("64 € je Stück",))
    assert not rules("Der beste Pullover für 64 €", Item("", None, brief))
    assert rules("Der Pullover für 63 €", Item("", None, brief)) == {("price", "block")}
    assert rules("Free returns, money-back guarantee", Item("", None, brief))


def test_a_text_too_long_to_judge_blocks() -> None:
    assert ("number", "block") in rules("wool " * 2000)
