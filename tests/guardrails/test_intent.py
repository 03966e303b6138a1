"""The intent check: rules, severities, scores and the brief as context."""

import pytest

from guardrails.checks.intent import EXAMPLES_FAIL, EXAMPLES_PASS, IntentCheck
from guardrails.embeddings import Embedder
from guardrails.learned.heads import DISALLOWED, INTENTS
from guardrails.types import Brief, Item


@pytest.fixture(scope="module")
def check() -> IntentCheck:
    return IntentCheck(Embedder())


def test_scores_hold_a_probability_for_each_of_the_fourteen_labels(check: IntentCheck) -> None:
    items = [*EXAMPLES_PASS, *(item for item, _ in EXAMPLES_FAIL)]
    for result in check.run(items):
        scores = result.scores["intent"]
        assert set(scores) == {*INTENTS, *DISALLOWED}
        assert all(0 <= value <= 1 for value in scores.values())
        assert sum(scores[name] for name in INTENTS) == pytest.approx(1, abs=0.001)
        assert sum(scores[name] for name in DISALLOWED) <= 1.001


def test_every_disallowed_label_has_a_failing_example() -> None:
    assert {rule for _, rule in EXAMPLES_FAIL} == {*DISALLOWED, "mismatch"}


def test_a_blatant_text_is_blocked(check: IntentCheck) -> None:
    item = Item(
        "You have won a free iPhone! Claim your prize",
        "You are our lucky winner. Click now to claim your prize.",
    )
    findings = check.run([item])[0].findings
    assert [(each.rule, each.severity) for each in findings] == [("prize_bait", "block")]


def test_the_finding_spans_the_field_that_carries_it(check: IntentCheck) -> None:
    item = Item(
        "A note from the shop", "Enter your password, card number and PIN to unlock your account."
    )
    [finding] = check.run([item])[0].findings
    assert finding.field == "preview"
    assert (finding.start, finding.end) == (0, len(item.preview or ""))


def test_thresholds_are_options() -> None:
    never = IntentCheck(Embedder(), block=2.0, review=2.0, mismatch=2.0)
    assert all(not result.findings for result in never.run([item for item, _ in EXAMPLES_FAIL]))


def test_a_notice_is_a_mismatch_in_a_promotion_and_none_in_its_own_campaign(
    check: IntentCheck,
) -> None:
    texts = ("Your order has shipped", "Track your parcel. It arrives on Thursday.")
    wrong, right, bare = check.run(
        [
            Item(*texts, Brief(intent="promotional")),
            Item(*texts, Brief(intent="transactional")),
            Item(*texts),
        ]
    )
    assert "mismatch" in {each.rule for each in wrong.findings}
    assert right.findings == []
    assert bare.findings == []


def test_a_text_is_judged_alike_alone_and_among_others(check: IntentCheck) -> None:
    items = [item for item, _ in EXAMPLES_FAIL]
    for item, result in zip(items, check.run(items), strict=True):
        alone = IntentCheck(Embedder()).run([item])[0] if item is items[0] else check.run([item])[0]
        assert alone.findings == result.findings


@pytest.mark.parametrize("text", ["", "\ud800", "​", "a" * 50_000, "{{" * 5_000, "\x00", "🔥" * 500])
def test_odd_texts_are_answered(check: IntentCheck, text: str) -> None:
    assert len(check.run([Item(text, text), Item(text)])) == 2


def test_no_items_give_no_results(check: IntentCheck) -> None:
    assert check.run([]) == []
