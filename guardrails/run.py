"""Running the checks of a policy over texts."""

import logging
import threading
import unicodedata
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime

from guardrails.checks import build
from guardrails.embeddings import Embedder
from guardrails.errors import GuardrailsError
from guardrails.policy import CheckPolicy, Policy
from guardrails.strictness import hold
from guardrails.types import Brand, Check, Finding, Item, Outcome, Report, Result
from guardrails.waivers import Waiver, waived

logger = logging.getLogger(__name__)

TEXT = "text"
"""Name of the check that no policy can leave out: there is a text at all."""


class Guardrails:
    """The checks of one policy, ready to run. Safe to share between threads."""

    def __init__(self, policy: Policy | None = None, checks: Sequence[Check] | None = None) -> None:
        """Build the checks that `policy` (by default the packaged one) names, or take `checks`.

        Raises:
            PolicyError: the policy names an unknown check, option or rule, or a check can't be
                made: an option has no sense, a trained head is missing.
        """
        self.policy = policy or Policy.load()
        self._embedder = Embedder()
        self._checks = build(self.policy, self._embedder) if checks is None else list(checks)

    def under(self, policy: Policy, brand: Brand) -> "Guardrails":
        """Guardrails of `policy`, the own one of `brand`, which may only be stricter than this one.

        Raises:
            PolicyError: it is laxer, or can't be used.
        """
        mine = {check.name: check for check in self._checks}
        same = {
            name: check
            for name, check in mine.items()
            if name in policy.file.checks and name in self.policy.file.checks
            if policy.file.checks[name].options == self.policy.file.checks[name].options
            if policy.packs == self.policy.packs
        }
        checks = build(policy, self._embedder, same)
        hold(policy, {check.name: check for check in checks}, self.policy, mine, brand)
        return Guardrails(policy, checks)

    def check(self, items: Sequence[Item], waivers: Sequence[Waiver] = ()) -> list[Report]:
        """Judge `items`: one report each, in order. Nothing raises: a check that fails blocks.

        A finding that one of `waivers` covers stays in its report, marked, and does not count.
        """
        findings: list[list[Finding]] = [_empty_text(item) for item in items]
        scores: list[dict[str, object]] = [{} for _ in items]
        outcomes: list[dict[str, Outcome]] = [
            {TEXT: "found" if found else "passed"} for found in findings
        ]
        for check in self._checks:
            entry = self.policy.file.checks.get(check.name, CheckPolicy())
            for index, result in enumerate(self._run(check, items)):
                if result is None or (entry.demanded and not result.applicable):
                    outcomes[index][check.name] = "not_run"
                    continue
                findings[index] += _graded(result.findings, entry)
                scores[index].update(result.scores)
                outcomes[index][check.name] = _outcome(result)
        if waivers:
            at = datetime.now(UTC)
            findings = [
                waived(found, item, waivers, self.policy.file.checks, at)
                for found, item in zip(findings, items, strict=True)
            ]
        demanded = [name for name, entry in self.policy.file.checks.items() if entry.demanded]
        for outcome in outcomes:
            for name in demanded:
                outcome.setdefault(name, "not_run")
        return [
            Report(tuple(found), score, outcome, self.policy.sha256, (TEXT, *demanded))
            for found, score, outcome in zip(findings, scores, outcomes, strict=True)
        ]

    def _run(self, check: Check, items: Sequence[Item]) -> list[Result | None]:
        """Results of one check; None where it crashed or timed out.

        A crash over many items is tried again item by item, so that one bad text doesn't block
        its neighbours. The thread of a check that timed out can't be killed; its answer is dropped.
        """
        future: Future[list[Result]] = Future()
        # Not a pool: the interpreter would wait at its end for a thread that hangs.
        thread = threading.Thread(target=_answer, args=(future, check, items), daemon=True)
        thread.start()
        try:
            results = future.result(self.policy.file.timeout_s)
            if len(results) != len(items):
                raise RuntimeError(f"{len(results)} results for {len(items)} items")
            return list(results)
        except TimeoutError:
            logger.error("check %s timed out over %d texts", check.name, len(items))
            return [None] * len(items)
        except GuardrailsError as error:
            # Something is missing for all of them; the text names it and the fix.
            logger.error("check %s can't run: %s", check.name, error)
            return [None] * len(items)
        except Exception as error:
            # The text of an error may quote the checked text, so only its type is logged.
            logger.error("check %s failed: %s", check.name, type(error).__name__)
            if len(items) == 1:
                return [None]
            return [self._run(check, [item])[0] for item in items]


def _answer(future: "Future[list[Result]]", check: Check, items: Sequence[Item]) -> None:
    try:
        future.set_result(check.run(items))
    except BaseException as error:
        future.set_exception(error)


def _graded(findings: list[Finding], policy: CheckPolicy) -> list[Finding]:
    """`findings` with the severities that the policy gives their rules."""
    if not policy.severities:
        return findings
    return [
        replace(each, severity=policy.severities.get(each.rule, each.severity)) for each in findings
    ]


def _outcome(result: Result) -> Outcome:
    if not result.applicable:
        return "not_applicable"
    return "found" if result.findings else "passed"


def _empty_text(item: Item) -> list[Finding]:
    """Block a text in which nothing can be seen: white space and invisible characters alone."""
    return [
        Finding(
            TEXT, "empty", "block", name, 0, len(text), f"The {name} is empty.", f"Write a {name}."
        )
        for name, text in item.fields()
        if not any(_visible(character) for character in text)
    ]


def _visible(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character)[0] not in "CZM"
