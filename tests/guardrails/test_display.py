"""What the inbox cuts off is scored; a hidden figure, code or negation asks for review."""

import pytest

from guardrails.checks.display import CLIENTS, Display
from guardrails.errors import PolicyError
from guardrails.types import Brief, Item, MergeTag, Offer, Segment
from guardrails.widths import MEAN, reaches, visible
from tests.labelled import corpus, seconds

CHECK = Display()
PANGRAM = "The quick brown fox jumps over the lazy dog "


def rules(item: Item, check: Display = CHECK) -> list[str]:
    return [finding.rule for finding in check.run([item])[0].findings]


def test_the_pangram_shows_as_many_characters_as_its_clients_limits_say() -> None:
    text = PANGRAM * 4
    assert reaches(PANGRAM)[-1] == pytest.approx(MEAN * len(PANGRAM), rel=0.001)
    scores = CHECK.run([Item(text, text)])[0].scores["display"]
    for name, client in CLIENTS.items():
        assert abs(scores[name]["subject"] - client.subject) <= 2
        assert abs(scores[name]["preview"] - client.preview) <= 2


def test_wide_letters_show_fewer_characters_than_narrow_ones() -> None:
    limit = CLIENTS["gmail_phone"].subject
    assert visible(reaches("M" * 80), limit) < limit < visible(reaches("i" * 80), limit)


def test_a_hidden_figure_is_found_where_it_stands() -> None:
    text = "The first lambswool jumpers of the season at £85"
    [finding] = CHECK.run([Item(text)])[0].findings
    assert (finding.rule, finding.severity) == ("hidden_figure", "review")
    assert text[finding.start : finding.end] == "£85"
    assert "Gmail on a phone" in finding.message


def test_a_figure_that_the_preview_shows_is_not_hidden() -> None:
    text = "The first lambswool jumpers of the season at £85"
    assert rules(Item(text, "£85, in six undyed colours.")) == []
    assert rules(Item("£85: the first lambswool jumpers, all at £85")) == []


def test_a_hidden_code_and_a_hidden_negation_are_found() -> None:
    brief = Brief(offer=Offer(code="FIRSTLAYER15"))
    assert rules(Item("The jumpers of the season, with FIRSTLAYER15", None, brief)) == [
        "hidden_code"
    ]
    assert rules(Item("Your order from our mill in Hawick will not come")) == ["hidden_negation"]


def test_a_long_value_pushes_a_figure_out() -> None:
    segment = Segment(merge_tags={"city": MergeTag(fallback="town", longest="Stratford-upon-Avon")})
    text = 'Wool has come to {{ city | default: "town" }} for £85'
    assert rules(Item(text)) == []
    [finding] = CHECK.run([Item(text, segment=segment)])[0].findings
    assert text[finding.start : finding.end] == "£85"
    assert "longest" in finding.message


def test_a_policy_names_the_clients() -> None:
    text = "The first lambswool jumpers of the season at £85"
    assert rules(Item(text), Display(clients=["gmail_desktop"])) == []
    with pytest.raises(PolicyError, match="lotus"):
        Display(clients=["lotus"])


def test_few_lines_of_the_corpus_hide_anything() -> None:
    items = corpus()
    assert sum(bool(result.findings) for result in CHECK.run(items)) <= 0.04 * len(items)


def test_a_hostile_line_takes_fifty_milliseconds_at_most() -> None:
    for piece in ("a", "1 ", "1.", "£", "not ", "🎉", '{{ a | default: "b" }}'):
        assert seconds(CHECK, Item((piece * 10_000)[:10_000])) < 0.05
