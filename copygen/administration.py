"""What the commands for accounts, keys, settings, prompts and the audit log do."""

import json
import re

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from copygen.database import Database
from copygen.errors import CopygenError, InvalidInput
from copygen.models import Role
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services import accounts, audit
from copygen.settings import Settings

EXPORT_CHUNK = 1000


def show_settings(settings: Settings, *, as_json: bool) -> None:
    """Print all settings."""
    rows = [
        (f"COPYGEN_{name.upper()}", str(getattr(settings, name) or ""), str(field.description))
        for name, field in Settings.model_fields.items()
    ]
    # A URL may hold a password.
    rows = [(name, MASKS.get(name, str)(value), text) for name, value, text in rows]
    if as_json:
        print(json.dumps({name: {"value": value, "about": text} for name, value, text in rows}))
        return
    table = Table("Variable", "Value", "Meaning")
    for row in rows:
        table.add_row(*(Text(each) for each in row))
    Console().print(table)


def _mask_database(url: str) -> str:
    return sa.make_url(url).render_as_string(hide_password=True) if url else ""


def _mask_servers(urls: str) -> str:
    return re.sub(r"(?<=//)[^/,]*@", "***@", urls)


MASKS = {"COPYGEN_DATABASE_URL": _mask_database, "COPYGEN_OPENAI_BASE_URL": _mask_servers}


def add_user(settings: Settings, email: str, role: str) -> None:
    """Make an account and print its password."""
    if role not in [each.value for each in Role]:
        raise InvalidInput(f"--role: {role!r} is unknown. Known: {', '.join(Role)}.", field="role")
    with Database(settings.store_url).write() as session:
        _, password = accounts.add_user(session, email, Role(role))
    print(password)


def add_key(settings: Settings, name: str, email: str, scopes: list[str]) -> None:
    """Make an API key and print it."""
    split = [scope for each in scopes for scope in each.split(",")]
    with Database(settings.store_url).write() as session:
        key = accounts.add_key(session, name, email, split)
    print(key)


def reset_user(settings: Settings, email: str) -> None:
    """Give an account a new password and print it."""
    with Database(settings.store_url).write() as session:
        password = accounts.reset_password(session, accounts.get_user(session, email))
    print(password)


def list_keys(settings: Settings, *, as_json: bool) -> None:
    """List the keys in use."""
    with Database(settings.store_url).read() as session:
        rows = [
            (key.id, key.name, user.email, list(key.scopes)) for key, user in accounts.keys(session)
        ]
    if as_json:
        names = ("id", "name", "user", "scopes")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    table = Table("Id", "Name", "Account", "Scopes")
    for identifier, name, email, scopes in rows:
        table.add_row(identifier, Text(name), email, " ".join(scopes))
    Console().print(table)


def revoke_key(settings: Settings, identifier: str) -> None:
    """End a key."""
    with Database(settings.store_url).write() as session:
        accounts.revoke_key(session, identifier)


def verify_audit(settings: Settings) -> None:
    """Verify the audit log."""
    with Database(settings.store_url).read() as session:
        count, problem = audit.verify(session)
    if problem is not None:
        raise CopygenError(f"The audit log is broken after {count} entries: {problem}.")
    print(f"{count} entries, unbroken")


def export_audit(settings: Settings) -> None:
    """Write the audit log as JSON Lines."""
    database = Database(settings.store_url)
    last = 0
    while True:
        # Printed outside the transaction: a reader that waits at its pager would hold up writers.
        with database.read() as session:
            rows = [
                entry.model_dump(mode="json")
                for entry in audit.entries(session, after=last, limit=EXPORT_CHUNK)
            ]
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        if len(rows) < EXPORT_CHUNK:
            return
        last = rows[-1]["sequence"]


def list_prompts(*, as_json: bool) -> None:
    """List the prompts."""
    folder = data_folder("prompts")
    prompts = [Prompt.load(folder, path.stem) for path in sorted(folder.glob("*.jinja"))]
    if as_json:
        print(json.dumps([prompt.record() for prompt in prompts]))
        return
    table = Table("Name", "Version", "SHA-256", "About")
    for prompt in prompts:
        table.add_row(
            prompt.head.name, prompt.head.version, prompt.sha256[:16], prompt.head.description
        )
    Console().print(table)
