"""Exceptions: what they cover, and nothing beside it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guardrails import Brand, Guardrails, Item, Policy, Waiver
from guardrails.policy import CheckPolicy, PolicyFile
from guardrails.types import Finding, Result
from guardrails.waivers import phrase

BRAND = Brand(slug="harrow-and-pine")
WAIVER = Waiver("w1", "words", "word", BRAND.slug, "wool", datetime.now(UTC) + timedelta(days=1))


class Words:
    """Finds every "wool"."""

    name = "words"
    rules = frozenset({"word", "other"})

    def __init__(self, severity: str = "review") -> None:
        self._severity = severity

    def run(self, items: Any) -> list[Result]:
        return [Result(self._found(item), {"words": 0.5}) for item in items]

    def _found(self, item: Item) -> list[Finding]:
        text = item.subject
        places = [each for each in range(len(text)) if text[each:].lower().startswith("wool")]
        severity: Any = self._severity
        return [
            Finding("words", "word", severity, "subject", each, each + 4, "No.") for each in places
        ]


def guardrails(severity: str = "review", exceptions: tuple[str, ...] = ()) -> Guardrails:
    checks = {"words": CheckPolicy(exceptions=exceptions)}
    policy = Policy(PolicyFile(name="test", version=1, checks=checks), "0" * 64)
    return Guardrails(policy, [Words(severity)])


def test_an_excepted_finding_stays_and_does_not_count() -> None:
    item = Item("WOOL is back", brand=BRAND)
    (before,) = guardrails().check([item])
    (report,) = guardrails().check([item], [WAIVER])
    assert (before.verdict, report.verdict) == ("review", "pass")
    assert [each.waived_by for each in report.findings] == ["w1"]
    assert [replace(each, waived_by=None) for each in report.findings] == list(before.findings)
    assert report.scores == before.scores
    assert report.outcomes == before.outcomes


@pytest.mark.parametrize(
    "changes",
    [
        {"check": "format"},
        {"rule": "other"},
        {"brand": "somebody-else"},
        {"brand": ""},
        {"phrase": "woollen"},
        {"phrase": ""},
        {"expires": datetime.now(UTC) - timedelta(seconds=1)},
    ],
    ids=str,
)
def test_an_exception_covers_nothing_else(changes: dict[str, Any]) -> None:
    (report,) = guardrails().check([Item("Wool", brand=BRAND)], [replace(WAIVER, **changes)])
    assert [each.waived_by for each in report.findings] == [None]
    assert report.verdict == "review"


def test_an_exception_covers_no_text_without_a_brand() -> None:
    for item in (Item("Wool"), Item("Wool", brand=Brand())):
        (report,) = guardrails().check([item], [WAIVER, replace(WAIVER, brand="")])
        assert report.verdict == "review"


@pytest.mark.parametrize(
    ("exceptions", "verdict"),
    [((), "block"), (("other",), "block"), (("word",), "pass"), (("all",), "pass")],
)
def test_what_blocks_is_excepted_only_where_the_policy_allows(
    exceptions: tuple[str, ...], verdict: str
) -> None:
    item = Item("Wool", brand=BRAND)
    (report,) = guardrails("block", exceptions).check([item], [WAIVER])
    assert report.verdict == verdict


def test_an_empty_text_is_never_excepted() -> None:
    waivers = [replace(WAIVER, check="text", rule="empty", phrase=each) for each in ("", " ")]
    (report,) = guardrails().check([Item(" ", brand=BRAND)], waivers)
    assert report.verdict == "block"


@pytest.mark.parametrize("words", ["Ｗool  Café", "wool\u200b cafe", "WOOL\tCAFÉ"])
def test_a_phrase_is_compared_as_a_reader_sees_it(words: str) -> None:
    assert phrase(words) == "wool cafe"
