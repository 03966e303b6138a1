"""Exceptions: findings that a reviewer found to be false positives, and what they change.

In code an exception is a waiver, since exceptions are errors there.
"""

import hashlib
import itertools
import json
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

import guardrails
from copygen.errors import Conflict, Forbidden, InvalidInput, NotFound
from copygen.models import Brief, Finding, Segment, User, Variant, Waiver, now
from copygen.services import audit, review
from guardrails.types import verdict
from guardrails.waivers import allows, phrase

LONGEST = timedelta(days=366)
"""Longest life of an exception: language and law change, so it is looked at again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A stored variant whose verdict an exception changes, and both verdicts.

    `without` and `under` are what its stored report says without the exception and under it.
    """

    variant_id: str
    campaign: str
    segment: str
    state: str
    without: str
    under: str


@dataclass(frozen=True, slots=True)
class _Counted:
    """What counts of a finding."""

    severity: str
    waived_by: str | None


def add(
    session: Session,
    user: User,
    variant_id: str,
    rule: str,
    *,
    words: str = "",
    reason: str,
    expires_at: datetime,
    policy: guardrails.Policy,
) -> Waiver:
    """Except what `rule` (`check/rule`) found in a variant, for its brand and these words alone.

    `words` tell which finding, where the rule found several. `policy` is the brand's.

    Raises:
        NotFound: there is no such variant, or no such finding in it.
        Forbidden: the account decides nothing or requested the batch itself, or the finding blocks
            and the policy allows no exception.
        InvalidInput: there is no reason, a wrong expiry, or several findings and no `words`.
        Conflict: there is such an exception already.
    """
    _decides(user)
    found = review.detail(session, variant_id)
    if found.batch.requested_by == user.id:
        raise Forbidden("You requested this batch, so somebody else must except its findings.")
    reason = review.told(reason)
    if not reason:
        raise InvalidInput("reason: say why it is a false positive.", field="reason")
    if not now() < expires_at <= now() + LONGEST:
        raise InvalidInput(
            f"expires_at: give a time within the next {LONGEST.days} days.", field="expires_at"
        )
    check, _, name = rule.partition("/")
    findings = _named(found.variant, found.findings, check, name)
    if words:
        findings = {each: seen for each, seen in findings.items() if each == phrase(words)}
    if not findings:
        raise NotFound(f"The variant {variant_id} has no finding of {rule!r} with such words.")
    if len(findings) > 1:
        raise InvalidInput(
            f"words: {rule} found {len(findings)} different things; give the words of one.",
            field="words",
        )
    ((excepted, severities),) = findings.items()
    if not all(allows(policy.file.checks.get(check), name, each) for each in severities):
        raise Forbidden(
            f"{rule} blocks, and {policy.place(f'checks.{check}.exceptions')} allows no exception "
            "from it. Write another text, or have the policy changed."
        )
    slug = found.brand.slug
    for each in active(session, slug):
        if (each.check, each.rule, each.phrase) == (check, name, excepted):
            raise Conflict(f"There is such an exception already: {each.id}.")
    waiver = Waiver(
        brand_slug=slug,
        check=check,
        rule=name,
        phrase=excepted,
        variant_id=variant_id,
        user_id=user.id,
        reason=reason,
        expires_at=expires_at,
    )
    session.add(waiver)
    session.flush()
    audit.record(
        session,
        user.id,
        "exception.added",
        f"exception:{waiver.id}",
        {
            "brand": slug,
            "rule": rule,
            "variant": variant_id,
            "expires_at": waiver.expires_at.isoformat(),
            "sha256": sha256(waiver),
        },
    )
    return waiver


def revoke(session: Session, user: User, waiver_id: str) -> Waiver:
    """End an exception. Batches that begin from then on are checked without it.

    Raises:
        Forbidden: the account decides nothing.
        NotFound: there is no such exception.
        Conflict: it was revoked already.
    """
    _decides(user)
    waiver = get(session, waiver_id)
    if waiver.revoked_at is not None:
        raise Conflict(f"The exception {waiver_id} was revoked already. Nothing was changed.")
    waiver.revoked_at, waiver.revoked_by = now(), user.id
    session.add(waiver)
    session.flush()
    audit.record(session, user.id, "exception.revoked", f"exception:{waiver.id}", {})
    return waiver


def get(session: Session, waiver_id: str) -> Waiver:
    """An exception, in force or not.

    Raises:
        NotFound: there is none.
    """
    waiver = session.get(Waiver, waiver_id)
    if waiver is None:
        raise NotFound(
            f"There is no exception {waiver_id!r}. See them: copygen exceptions list --all"
        )
    return waiver


def listed(session: Session, brand: str = "", *, ended: bool = False) -> list[tuple[Waiver, User]]:
    """Exceptions with whoever made them, oldest first; with `ended`, those no more in force too."""
    query = select(Waiver, User).join(User, col(User.id) == Waiver.user_id)
    if brand:
        query = query.where(Waiver.brand_slug == brand)
    if not ended:
        query = query.where(col(Waiver.revoked_at).is_(None), col(Waiver.expires_at) > now())
    rows = session.exec(query.order_by(col(Waiver.created_at), col(Waiver.id)))
    return [(waiver, user) for waiver, user in rows]


def active(session: Session, brand: str) -> list[guardrails.Waiver]:
    """The exceptions in force for a brand, as the guardrails take them, oldest first."""
    return [
        guardrails.Waiver(
            each.id, each.check, each.rule, each.brand_slug, each.phrase, each.expires_at
        )
        for each, _ in listed(session, brand)
    ]


def state(waiver: Waiver) -> str:
    """active, expired or revoked."""
    if waiver.revoked_at is not None:
        return "revoked"
    return "active" if waiver.expires_at > now() else "expired"


def replay(session: Session, waiver_id: str, policy: guardrails.Policy) -> list[Change]:
    """The brand's stored variants, oldest first, whose verdict an exception changes.

    It is worked out from their stored reports, whether the exception is in force or not, under
    `policy`, the brand's. Nothing is changed.

    Raises:
        NotFound: there is no such exception.
    """
    waiver = get(session, waiver_id)
    found = sa.select(col(Finding.variant_id)).where(
        col(Finding.check) == waiver.check, col(Finding.rule) == waiver.rule
    )
    query = (
        review.placed(sa.select(Variant, Segment, Brief, Finding))
        .join(Finding, col(Finding.variant_id) == Variant.id)
        .where(col(Brief.brand_slug) == waiver.brand_slug, col(Variant.id).in_(found))
        .order_by(col(Variant.created_at), col(Variant.id), col(Finding.id))
    )
    entry = policy.file.checks.get(waiver.check)
    changes = []
    for variant, rows in itertools.groupby(session.execute(query), operator.itemgetter(0)):
        group = list(rows)
        without, under = [], []
        for row in group:
            finding = row[3]
            other = None if finding.waived_by == waiver.id else finding.waived_by
            covered = (
                (finding.check, finding.rule) == (waiver.check, waiver.rule)
                and _phrase(variant, finding) == waiver.phrase
                and allows(entry, finding.rule, finding.severity)
            )
            without.append(_Counted(finding.severity, other))
            under.append(_Counted(finding.severity, waiver.id if covered else other))
        outcomes, demanded = variant.report["outcomes"], variant.report.get("demanded", ())
        before, after = (verdict(each, outcomes, demanded) for each in (without, under))
        if before != after:
            _, segment, brief, _ = group[0]
            changes.append(
                Change(variant.id, brief.campaign, segment.name, variant.state, before, after)
            )
    return changes


def sha256(waiver: Waiver) -> str:
    """SHA-256 of what an exception says, for the audit log, which holds no text."""
    said = (waiver.check, waiver.rule, waiver.brand_slug, waiver.phrase, waiver.reason)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _decides(user: User) -> None:
    if user.role not in review.DECIDERS or not user.active:
        raise Forbidden("Only a reviewer makes exceptions and revokes them.")


def _named(
    variant: Variant, findings: Sequence[Finding], check: str, rule: str
) -> dict[str, list[str]]:
    """What a rule found in words: each phrase with the severities of its findings."""
    named: dict[str, list[str]] = {}
    for each in findings:
        if (each.check, each.rule) == (check, rule) and (words := _phrase(variant, each)):
            named.setdefault(words, []).append(each.severity)
    return named


def _phrase(variant: Variant, finding: Finding) -> str:
    text = variant.subject if finding.field == "subject" else variant.preview
    return phrase(text[finding.start : finding.end])
