"""Running checks: a check that fails blocks, and blocks no neighbour."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from guardrails import Guardrails, Item, Policy, PolicyError
from guardrails.errors import EmbeddingsError
from guardrails.types import Finding, Result


class Fake:
    """A check that does as it is told."""

    name = "fake"

    def __init__(self, run: Callable[[Sequence[Item]], list[Result]]) -> None:
        self.run = run


def found(severity: str) -> Result:
    return Result([Finding("fake", "rule", severity, "subject", 0, 1, "Why.")], {"fake": 0.5})  # type: ignore[arg-type]


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return Policy.load(path)


def test_the_verdict_is_the_worst_of_all_findings() -> None:
    checks = [
        Fake(lambda items: [Result() for _ in items]),
        Fake(lambda items: [found("review"), found("block"), Result()][: len(items)]),
    ]
    reports = Guardrails(checks=checks).check([Item("One"), Item("Two"), Item("Three")])
    assert [each.verdict for each in reports] == ["review", "block", "pass"]
    assert [each.outcomes["fake"] for each in reports] == ["found", "found", "passed"]
    assert reports[0].scores == {"fake": 0.5}


def test_a_check_that_crashes_blocks_its_item_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run(items: Sequence[Item]) -> list[Result]:
        if any(item.subject == "bad secret" for item in items):
            raise ValueError("about bad secret")
        return [Result() for _ in items]

    reports = Guardrails(checks=[Fake(run)]).check([Item("good"), Item("bad secret"), Item("fine")])
    assert [each.verdict for each in reports] == ["pass", "block", "pass"]
    assert reports[1].names("not_run") == ["fake"]
    assert "secret" not in caplog.text


def test_a_check_that_gives_too_few_answers_blocks() -> None:
    (report,) = Guardrails(checks=[Fake(lambda items: [])]).check([Item("One")])
    assert report.verdict == "block"


def test_a_check_that_hangs_blocks_and_lets_the_process_go_on(tmp_path: Path) -> None:
    release = threading.Event()

    def run(items: Sequence[Item]) -> list[Result]:
        release.wait(30)
        return [Result() for _ in items]

    short = policy(tmp_path, "name: short\nversion: 1\ntimeout_s: 0.05\nchecks: {}\n")
    (report,) = Guardrails(short, [Fake(run)]).check([Item("One")])
    release.set()
    assert report.verdict == "block"
    assert report.names("not_run") == ["fake"]


def test_what_is_missing_for_all_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def run(items: Sequence[Item]) -> list[Result]:
        raise EmbeddingsError("The weights package is missing. Install it.")

    with caplog.at_level(logging.ERROR):
        reports = Guardrails(checks=[Fake(run)]).check([Item("One"), Item("Two")])
    assert [each.verdict for each in reports] == ["block", "block"]
    assert caplog.text.count("Install it") == 1


@pytest.mark.parametrize(
    ("demanded", "verdict", "names"),
    [(False, "pass", "not_applicable"), (True, "block", "not_run")],
)
def test_a_check_with_nothing_to_judge_by_blocks_where_it_is_demanded(
    tmp_path: Path, demanded: bool, verdict: str, names: str
) -> None:
    text = f"name: x\nversion: 1\nchecks: {{fake: {{demanded: {str(demanded).lower()}}}}}\n"
    checks = [Fake(lambda items: [Result.not_applicable() for _ in items])]
    (report,) = Guardrails(policy(tmp_path, text), checks).check([Item("One")])
    assert report.verdict == verdict
    assert report.names(names) == ["fake"]  # type: ignore[arg-type]


@pytest.mark.parametrize("empty", ["", "  \n", "\u200b\u200d", "\ufe0f\u0301"])
def test_an_empty_text_blocks_whatever_the_policy_says(empty: str) -> None:
    guardrails = Guardrails(checks=[])
    reports = guardrails.check([Item(empty), Item("Subject", empty), Item("Subject", None)])
    assert [each.verdict for each in reports] == ["block", "block", "pass"]
    assert [each.findings[0].field for each in reports[:2]] == ["subject", "preview"]


def test_no_items_no_reports() -> None:
    assert Guardrails(checks=[Fake(lambda items: [])]).check([]) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: x\nversion: 1\nchecks: {grammar: {}}\n", "checks.grammar is unknown"),
        (
            "name: x\nversion: 1\nchecks: {format: {options: {colour: 1}}}\n",
            "checks.format.options",
        ),
        ("name: x\nversion: 1\nchecks: {format: {enabled: true}}\n", "checks.format.enabled"),
        ("name: x\nversion: 1\nchecks: {}\nextra: 1\n", "extra"),
        ("name: [x\n", "can't be read"),
        ("just words\n", "the whole file"),
    ],
)
def test_a_policy_with_a_mistake_names_it(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        Guardrails(policy(tmp_path, text))


def test_a_missing_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"none\.yaml"):
        Policy.load(tmp_path / "none.yaml")


def test_the_hash_of_a_policy_follows_its_content(tmp_path: Path) -> None:
    first = policy(tmp_path, "name: x\nversion: 1\nchecks: {}\n")
    same = policy(tmp_path, "name: x\nversion: 1\nchecks: {}\n")
    other = policy(tmp_path, "name: x\nversion: 2\nchecks: {}\n")
    assert first.sha256 == same.sha256
    assert first.sha256 != other.sha256
