"""A text in another language than the brief's is found; what can't be told passes."""

import json

from guardrails.checks.language import Language
from guardrails.types import Brief, Item
from tests.labelled import DATA, corpus, seconds

CHECK = Language()
ENGLISH = Brief(language="en")


def rows(english: bool) -> list[dict[str, str]]:
    lines = (DATA / "language.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if (row["language"] == "en") is english]


def found(items: list[Item]) -> int:
    return sum(bool(result.findings) for result in CHECK.run(items))


def test_texts_in_other_languages_are_found() -> None:
    foreign = rows(english=False)
    both = [Item(row["subject"], row["preview"], ENGLISH) for row in foreign]
    assert found(both) >= 0.97 * len(both)
    subjects = [Item(row["subject"], None, ENGLISH) for row in foreign]
    assert found(subjects) >= 0.9 * len(subjects)


def test_texts_pass_in_their_own_language() -> None:
    own = [Item(r["subject"], r["preview"], Brief(language=r["language"])) for r in rows(False)]
    assert found(own) == 0
    items = corpus()
    assert found(items) <= len(items) // 500


def test_english_full_of_foreign_words_mostly_passes() -> None:
    items = [Item(row["subject"], row["preview"], ENGLISH) for row in rows(english=True)]
    assert found(items) <= 2


def test_english_is_found_where_the_brief_wants_german() -> None:
    item = Item("The first lambswool is in", "Six undyed colours.", Brief(language="de-AT"))
    [finding] = CHECK.run([item])[0].findings
    assert (finding.rule, finding.severity) == ("other_language", "review")
    assert "German" in finding.message


def test_a_field_in_another_language_is_named() -> None:
    item = Item("The wool is in and it is warm", "Sechs Naturfarben, gesponnen in Hawick.", ENGLISH)
    [finding] = CHECK.run([item])[0].findings
    assert finding.field == "preview"


def test_without_a_brief_or_with_an_unknown_language_there_is_nothing_to_judge_by() -> None:
    results = CHECK.run([Item("Bonjour"), Item("Bonjour à tous", None, Brief(language="tlh"))])
    assert [result.applicable for result in results] == [False, False]


def test_a_hostile_line_takes_fifty_milliseconds_at_most() -> None:
    for piece in ("a", "é ", "🎉", "{{", "a.b@", "漢"):
        assert seconds(CHECK, Item((piece * 10_000)[:10_000], None, ENGLISH)) < 0.05
