"""The filter: JSON Lines in, one answer a line out, in order."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from guardrails import Guardrails, Item, Policy
from guardrails.__main__ import BATCH, check, main
from guardrails.types import Result

BRIEF = {
    "product": "lambswool jumpers",
    "intent": "promotional",
    "summary": "The jumpers are in.",
    "offer": {"text": "15% off", "code": "FIRSTLAYER", "ends": "2032-10-03T23:59:00+01:00"},
    "facts": ["Six undyed colours"],
    "cta": "Choose your colour",
    "segments": [{"name": "new", "merge_tags": {"first_name": {"fallback": "there"}}}],
}
KEYS = {
    *("id", "verdict", "findings", "scores", "outcomes", "demanded"),
    *("not_applicable", "not_run"),
}
FINDING = {"check", "rule", "severity", "field", "start", "end", "message", "suggestion"}


def filtered(*lines: Any, guardrails: Guardrails) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and answers to lines given as values, or as they are where they are text."""
    source = io.StringIO(
        "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines)
    )
    target = io.StringIO()
    status = check(source, target, guardrails)
    return status, [json.loads(line) for line in target.getvalue().splitlines()]


class Long:
    """Wants short subjects."""

    name = "long"

    def run(self, items: Any) -> list[Result]:
        return [Result(scores={"long": len(item.subject)}) for item in items]


QUICK = Guardrails(checks=[Long()])


def test_answers_come_in_order_whatever_the_batch() -> None:
    lines = [{"id": number, "subject": "x" * (number + 1)} for number in range(2 * BATCH + 3)]
    status, answers = filtered(*lines, guardrails=QUICK)
    assert status == 0
    assert [each["id"] for each in answers] == list(range(2 * BATCH + 3))
    assert [each["scores"]["long"] for each in answers] == [number + 1 for number in range(131)]
    assert all(set(each) == KEYS for each in answers)


def test_a_line_that_can_not_be_read_is_answered_and_the_others_too() -> None:
    status, answers = filtered(
        {"id": "a", "subject": "Fine"},
        "not json",
        {"id": "b"},
        {"id": "c", "subject": 7},
        "[1, 2]",
        {"id": "d", "subject": "Fine", "brief": BRIEF, "segment": "unknown"},
        {"id": "e", "subject": "Fine", "brief": {"offer": {"ends": "soon"}}},
        "",
        {"id": "f", "subject": "Fine"},
        guardrails=QUICK,
    )
    assert status == 1
    assert [each.get("id") for each in answers] == ["a", None, "b", "c", None, "d", "e", "f"]
    assert ["error" in each for each in answers] == [
        False,
        True,
        True,
        True,
        True,
        True,
        True,
        False,
    ]
    assert "subject" in answers[2]["error"]
    assert "segment" in answers[5]["error"]
    assert "brief.offer.ends" in answers[6]["error"]


def test_a_segment_is_given_whole_or_by_name() -> None:
    class Tags:
        name = "tags"

        def run(self, items: list[Item]) -> list[Result]:
            return [Result(scores={"tags": [*each.segment.merge_tags]}) for each in items]  # type: ignore[union-attr]

    _, answers = filtered(
        {"subject": "Fine", "brief": BRIEF, "segment": "new"},
        {"subject": "Fine", "brief": BRIEF, "segment": BRIEF["segments"][0]},  # type: ignore[index]
        guardrails=Guardrails(checks=[Tags()]),
    )
    assert [each["scores"]["tags"] for each in answers] == [["first_name"], ["first_name"]]


def test_the_command_answers_as_the_contract_says(tmp_path: Path) -> None:
    lines = [
        {"id": 1, "subject": "15% off lambswool jumpers", "preview": "Use FIRSTLAYER by 3 October.",
         "brief": BRIEF},
        {"id": 2, "subject": "25% off lambswool jumpers", "brief": BRIEF},
        {"id": 3, "subject": "caf\u00e9 \ud800"},
        {"id": 4, "subject": ""},
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "guardrails", "check"],
        input="".join(json.dumps(each) + "\n" for each in lines),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["verdict"] for each in answers] == ["pass", "block", "block", "block"]
    assert all(set(finding) == FINDING for each in answers for finding in each["findings"])
    (wrong,) = (each for each in answers[1]["findings"] if each["check"] == "grounding")
    assert lines[1]["subject"][wrong["start"] : wrong["end"]] == "25%"  # type: ignore[index]
    assert "brand_voice" in answers[0]["not_applicable"]
    assert [*answers[0]["outcomes"]] == ["text", *Policy.load().file.checks]
    assert answers[0]["outcomes"]["brand_voice"] == "not_applicable"
    assert answers[0]["demanded"] == ["text"]
    assert all(each["not_run"] == [] for each in answers)


def test_a_policy_that_can_not_be_used_ends_with_2(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("name: x\nversion: 1\nchecks: {grammar: {}}\n")
    assert main(["check", "--policy", str(path)]) == 2
    assert "checks.grammar" in capsys.readouterr().err
