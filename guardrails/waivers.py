"""Exceptions: what a person found to be a false positive. Waivers in code, where exceptions are
errors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from guardrails.policy import ALL, CheckPolicy
from guardrails.text import normalise
from guardrails.types import Finding, Item


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception: findings of this rule over these words, in texts of this brand, count no more.

    `brand` is a slug, `phrase` the words as `phrase` gives them, `expires` a time with a zone.
    """

    id: str
    check: str
    rule: str
    brand: str
    phrase: str
    expires: datetime


def phrase(words: str) -> str:
    """`words` as exceptions compare them: normalised, without case, white space folded."""
    return " ".join(normalise(words).text.casefold().split())


def allows(policy: CheckPolicy | None, rule: str, severity: str) -> bool:
    """Whether an exception may cover a finding of `rule`, in a check that `policy` is for.

    What asks for review may always be excepted, what blocks only where the policy names the rule.
    """
    if severity != "block":
        return True
    return policy is not None and not {ALL, rule}.isdisjoint(policy.exceptions)


def waived(
    findings: Iterable[Finding],
    item: Item,
    waivers: Sequence[Waiver],
    checks: Mapping[str, CheckPolicy],
    at: datetime,
) -> list[Finding]:
    """`findings` of `item`, each with the id of the first of `waivers` that covers it at `at`."""
    brand = item.brand.slug if item.brand else ""
    ids: dict[tuple[str, str, str], str] = {}
    for each in waivers:
        if brand and each.brand == brand and each.phrase and each.expires > at:
            ids.setdefault((each.check, each.rule, each.phrase), each.id)
    if not ids:
        return list(findings)
    texts = dict(item.fields())
    marked = []
    for finding in findings:
        words = phrase(texts[finding.field][finding.start : finding.end])
        found = ids.get((finding.check, finding.rule, words))
        if found and allows(checks.get(finding.check), finding.rule, finding.severity):
            finding = replace(finding, waived_by=found)
        marked.append(finding)
    return marked
