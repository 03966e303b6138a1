"""What the commands for exceptions do."""

import json
from dataclasses import asdict
from datetime import timedelta

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from copygen.composition import make_guardrails
from copygen.database import Database
from copygen.models import now
from copygen.services import accounts, brands, exceptions, policies, review
from copygen.settings import Settings
from guardrails import Brand, Policy


def add_exception(
    settings: Settings,
    variant_id: str,
    rule: str,
    words: str,
    reason: str,
    days: int,
    email: str,
) -> None:
    """Except a finding, and print the exception's id."""
    database = Database(settings.store_url)
    with database.read() as session:
        brand = review.detail(session, variant_id).brand
    policy = _policy(settings, brand)
    with database.write() as session:
        waiver = exceptions.add(
            session,
            accounts.get_user(session, email),
            variant_id,
            rule,
            words=words,
            reason=reason,
            expires_at=now() + timedelta(days=days),
            policy=policy,
        )
    print(waiver.id)


def list_exceptions(settings: Settings, brand: str, *, ended: bool, as_json: bool) -> None:
    """List exceptions."""
    with Database(settings.store_url).read() as session:
        rows = [
            {
                "id": each.id,
                "state": exceptions.state(each),
                "brand": each.brand_slug,
                "rule": f"{each.check}/{each.rule}",
                "phrase": each.phrase,
                "expires_at": each.expires_at.isoformat(),
                "user": user.email,
                "reason": each.reason,
                "variant": each.variant_id,
            }
            for each, user in exceptions.listed(session, brand, ended=ended)
        ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(
        Column("Id", no_wrap=True), "Brand", "Finding", Column("Until", no_wrap=True), "Why"
    )
    for row in rows:
        table.add_row(
            row["id"],
            Text(row["brand"]),
            Text(f"{row['rule']}: {row['phrase']}"),
            row["expires_at"][:10] if row["state"] == "active" else row["state"],
            Text(f"{row['reason']} ({row['user']})"),
        )
    Console().print(table)


def revoke_exception(settings: Settings, waiver_id: str, email: str) -> None:
    """End an exception."""
    with Database(settings.store_url).write() as session:
        exceptions.revoke(session, accounts.get_user(session, email), waiver_id)


def replay_exception(settings: Settings, waiver_id: str, *, as_json: bool) -> None:
    """Show the stored variants whose verdict an exception changes."""
    with Database(settings.store_url).read() as session:
        brand = brands.get(session, exceptions.get(session, waiver_id).brand_slug)
        changes = exceptions.replay(session, waiver_id, _policy(settings, brand))
    if as_json:
        print(json.dumps([asdict(each) for each in changes]))
        return
    table = Table(
        Column("Variant", no_wrap=True), "Campaign", "Segment", "State", "Without it", "With it"
    )
    for each in changes:
        table.add_row(*(Text(str(value)) for value in asdict(each).values()))
    Console().print(table)


def _policy(settings: Settings, brand: Brand) -> Policy:
    guardrails = make_guardrails(settings.policy)
    return policies.for_brand(guardrails, settings.policies, brand).policy
