"""Accounts, logins and API keys."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from copygen.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from copygen.models import ApiKey, Login, Role, User, now
from copygen.services import accounts


def add_user(desk: Any, email: str = "anna@example.com", role: Role = Role.REVIEWER) -> str:
    """Make an account; its password."""
    with desk.database.write() as session:
        return accounts.add_user(session, email, role)[1]


def log_in(desk: Any, email: str, password: str) -> str:
    with desk.database.write() as session:
        return accounts.log_in(session, accounts.authenticate(session, email, password))[0]


def login_user(desk: Any, token: str) -> str | None:
    """E-mail address of whoever the token belongs to."""
    with desk.database.read() as session:
        found = accounts.find_login(session, token)
        return found[1].email if found else None


def add_key(desk: Any, email: str, *scopes: str) -> str:
    with desk.database.write() as session:
        return accounts.add_key(session, "tool", email, scopes)


def key_user(desk: Any, key: str) -> str | None:
    with desk.database.read() as session:
        found = accounts.find_key(session, key)
        return found[1].email if found else None


def test_a_password_opens_a_login(desk: Any) -> None:
    password = add_user(desk)
    token = log_in(desk, "anna@example.com", password)
    assert login_user(desk, token) == "anna@example.com"


def test_an_address_is_the_same_in_any_case(desk: Any) -> None:
    password = add_user(desk, " Anna@Example.com ")
    assert log_in(desk, "ANNA@example.COM", password)
    with pytest.raises(Conflict):
        add_user(desk, "anna@EXAMPLE.com")


@pytest.mark.parametrize("email", ["", "anna", "anna@", "@example.com", "a b@example.com", "a@b@c"])
def test_what_is_no_address_is_refused(desk: Any, email: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        add_user(desk, email)
    assert caught.value.field == "email"


def test_a_wrong_password_and_an_unknown_account_are_answered_alike(desk: Any) -> None:
    add_user(desk)
    with pytest.raises(Unauthenticated) as wrong:
        log_in(desk, "anna@example.com", "guess")
    with pytest.raises(Unauthenticated) as unknown:
        log_in(desk, "nobody@example.com", "guess")
    assert str(wrong.value) == str(unknown.value)


def test_an_account_without_a_password_can_not_log_in(desk: Any) -> None:
    with desk.database.write() as session:
        user = accounts.command_line_user(session)
        assert accounts.command_line_user(session).id == user.id
    for password in ["", "None"]:
        with pytest.raises(Unauthenticated):
            log_in(desk, accounts.COMMAND_LINE, password)


def test_a_closed_account_is_out_at_once(desk: Any) -> None:
    password = add_user(desk)
    token = log_in(desk, "anna@example.com", password)
    key = add_key(desk, "anna@example.com", "variants:read")
    desk.sql("UPDATE user_account SET active = 0 WHERE email = 'anna@example.com'")
    assert login_user(desk, token) is None
    assert key_user(desk, key) is None
    with pytest.raises(Unauthenticated):
        log_in(desk, "anna@example.com", password)


def test_a_new_password_ends_the_old_one_and_its_logins(desk: Any) -> None:
    password = add_user(desk)
    token = log_in(desk, "anna@example.com", password)
    with desk.database.write() as session:
        user = accounts.find_user(session, "anna@example.com")
        assert user is not None
        again = accounts.reset_password(session, user)
    assert login_user(desk, token) is None
    with pytest.raises(Unauthenticated):
        log_in(desk, "anna@example.com", password)
    assert log_in(desk, "anna@example.com", again)


def test_logging_out_ends_a_login_and_no_other(desk: Any) -> None:
    password = add_user(desk)
    first, second = [log_in(desk, "anna@example.com", password) for _ in range(2)]
    with desk.database.write() as session:
        accounts.log_out(session, first)
    assert login_user(desk, first) is None
    assert login_user(desk, second) == "anna@example.com"


def test_a_login_ends_by_itself(desk: Any) -> None:
    token = log_in(desk, "anna@example.com", add_user(desk))
    with desk.database.write() as session:
        login = session.get_one(Login, hashlib.sha256(token.encode()).hexdigest())
        assert login.expires_at - now() <= accounts.LOGIN_LIFETIME
        login.expires_at = now() - timedelta(seconds=1)
        session.add(login)
    assert login_user(desk, token) is None


def test_secrets_are_stored_as_hashes_alone(desk: Any) -> None:
    password = add_user(desk)
    token = log_in(desk, "anna@example.com", password)
    key = add_key(desk, "anna@example.com", "variants:read")
    with desk.database.read() as session:
        rows = [
            row
            for model in (User, Login, ApiKey)
            for row in session.execute(sa.select(sa.inspect(model).local_table))
        ]
    written = repr(rows)
    for secret in (password, token, key):
        assert secret not in written


def test_a_key_finds_its_user_and_scopes(desk: Any) -> None:
    key = add_key(desk, "marketer@example.com", "variants:read", "batches:write", "variants:read")
    with desk.database.read() as session:
        found = accounts.find_key(session, key)
        assert found is not None
        assert found[0].scopes == ["batches:write", "variants:read"]
        assert found[1].id == desk.people.marketer.id


def test_an_unknown_or_revoked_key_finds_nobody(desk: Any) -> None:
    key = add_key(desk, "marketer@example.com", "variants:read")
    assert key_user(desk, key[:-1]) is None
    assert key_user(desk, "") is None
    desk.sql("UPDATE api_key SET revoked_at = '2026-01-01 00:00:00.000000'")
    assert key_user(desk, key) is None


@pytest.mark.parametrize("scopes", [[], ["everything"], ["variants:read", "variants:write"]])
def test_an_unknown_scope_is_refused(desk: Any, scopes: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        add_key(desk, "marketer@example.com", *scopes)
    assert caught.value.field == "scope"
    assert "variants:read" in str(caught.value)


def test_a_key_for_nobody_is_refused_with_the_command_that_helps(desk: Any) -> None:
    with pytest.raises(NotFound, match=r"copygen user add nobody@example\.com"):
        add_key(desk, "nobody@example.com", "variants:read")


@pytest.mark.parametrize(
    ("email", "scope"),
    [
        ("marketer@example.com", "reviews:write"),
        ("auditor@example.com", "reviews:write"),
        ("auditor@example.com", "batches:write"),
    ],
)
def test_a_scope_that_the_role_does_not_bear_is_refused(desk: Any, email: str, scope: str) -> None:
    with pytest.raises(Forbidden):
        add_key(desk, email, scope)
