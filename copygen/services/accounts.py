"""Accounts: users, their logins and their API keys. Secrets are shown once and stored as hashes."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import sqlalchemy as sa
from pwdlib import PasswordHash
from sqlmodel import Session, col, select

from copygen.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from copygen.models import ApiKey, Login, Role, Scope, User, now
from copygen.services import audit

LOGIN_LIFETIME = timedelta(hours=12)
"""A working day; then the password is asked for again."""

COMMAND_LINE = "command-line@localhost"
"""Account of whoever works on this machine's command line. It has no password."""

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


@cache
def _passwords() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _dummy_hash() -> str:
    """Checked where there is no such account, so that time tells nobody which ones there are."""
    return _passwords().hash(secrets.token_urlsafe())


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def add_user(
    session: Session, email: str, role: Role, *, actor: str = "system"
) -> tuple[User, str]:
    """Make an account; it and its password.

    Raises:
        InvalidInput: not an e-mail address.
        Conflict: there is one already.
    """
    email = email.strip().lower()
    if not EMAIL.fullmatch(email):
        raise InvalidInput(f"email: {email!r} is not an e-mail address.", field="email")
    if find_user(session, email):
        raise Conflict(f"There is an account for {email} already.")
    password = secrets.token_urlsafe(12)
    user = User(email=email, role=role, password_hash=_passwords().hash(password))
    session.add(user)
    session.flush()
    audit.record(session, actor, "user.added", f"user:{user.id}", {"role": role})
    return user, password


def reset_password(session: Session, user: User, *, actor: str = "system") -> str:
    """Give `user` a new password, and end its logins."""
    password = secrets.token_urlsafe(12)
    user.password_hash = _passwords().hash(password)
    session.add(user)
    session.execute(sa.delete(Login).where(col(Login.user_id) == user.id))
    audit.record(session, actor, "user.password_reset", f"user:{user.id}", {})
    return password


def find_user(session: Session, email: str) -> User | None:
    """The account of `email`, if there is one."""
    return session.exec(select(User).where(User.email == email.strip().lower())).first()


def find_any(session: Session) -> User | None:
    """Some account that can log in, if there is one."""
    return session.exec(select(User).where(col(User.password_hash).is_not(None)).limit(1)).first()


def command_line_user(session: Session) -> User:
    """The account of this machine's command line, made where it is missing."""
    user = find_user(session, COMMAND_LINE)
    if user is None:
        user = User(email=COMMAND_LINE, role=Role.MARKETER)
        session.add(user)
        session.flush()
        audit.record(session, "system", "user.added", f"user:{user.id}", {"role": user.role})
    return user


def authenticate(session: Session, email: str, password: str) -> User:
    """The account of `email`. Hashing takes its time: do it outside of a writing transaction.

    Raises:
        Unauthenticated: no such account, or another password.
    """
    user = find_user(session, email)
    stored = user.password_hash if user and user.active and user.password_hash else _dummy_hash()
    valid = _passwords().verify(password, stored)
    if user is None or not valid or user.password_hash != stored:
        raise Unauthenticated("The e-mail address or the password is wrong.")
    return user


def log_in(session: Session, user: User) -> tuple[str, Login]:
    """Open a login of `user`; the token for its cookie, and the login."""
    token = secrets.token_urlsafe(32)
    login = Login(
        token_sha256=_sha256(token),
        user_id=user.id,
        csrf_token=secrets.token_urlsafe(32),
        expires_at=now() + LOGIN_LIFETIME,
    )
    session.execute(sa.delete(Login).where(col(Login.expires_at) < now()))
    session.add(login)
    return token, login


def find_login(session: Session, token: str) -> tuple[Login, User] | None:
    """The login of a cookie's token and its user, unless it is over."""
    login = session.get(Login, _sha256(token))
    if login is None or login.expires_at <= now():
        return None
    user = session.get(User, login.user_id)
    return (login, user) if user and user.active else None


def log_out(session: Session, token: str) -> None:
    """End a login."""
    session.execute(sa.delete(Login).where(col(Login.token_sha256) == _sha256(token)))


def add_key(session: Session, name: str, email: str, scopes: Sequence[str]) -> str:
    """Make an API key of `email`'s account; the key itself, which is shown this once.

    Raises:
        NotFound: there is no such account.
        InvalidInput: no scope, or an unknown one.
        Forbidden: the account's role may not hold a scope.
    """
    user = get_user(session, email)
    known = [scope.value for scope in Scope]
    unknown = [scope for scope in scopes if scope not in known]
    if unknown or not scopes:
        raise InvalidInput(
            f"scope: {unknown[0]!r} is unknown. Known: {', '.join(known)}."
            if unknown
            else f"scope: give at least one of {', '.join(known)}.",
            field="scope",
        )
    if Scope.REVIEWS_WRITE in scopes and user.role not in (Role.REVIEWER, Role.ADMIN):
        raise Forbidden(f"The scope reviews:write needs a reviewer; {email} is a {user.role}.")
    if Scope.BATCHES_WRITE in scopes and user.role == Role.AUDITOR:
        raise Forbidden(f"The scope batches:write changes things; {email} is an auditor.")
    secret = f"cg_{secrets.token_urlsafe(32)}"
    key = ApiKey(name=name, user_id=user.id, key_sha256=_sha256(secret), scopes=sorted(set(scopes)))
    session.add(key)
    session.flush()
    audit.record(session, user.id, "key.added", f"key:{key.id}", {"scopes": key.scopes})
    return secret


def keys(session: Session) -> list[tuple[ApiKey, User]]:
    """All keys that were not revoked, with their users, oldest first."""
    rows = session.exec(
        select(ApiKey, User)
        .join(User, col(User.id) == ApiKey.user_id)
        .where(col(ApiKey.revoked_at).is_(None))
        .order_by(col(ApiKey.created_at))
    )
    return [(key, user) for key, user in rows]


def revoke_key(session: Session, identifier: str, *, actor: str = "system") -> None:
    """End a key, at once.

    Raises:
        NotFound: there is no such key, or it was revoked already.
    """
    key = session.get(ApiKey, identifier)
    if key is None or key.revoked_at is not None:
        raise NotFound(f"There is no key {identifier!r}. See them: copygen key list")
    key.revoked_at = now()
    session.add(key)
    audit.record(session, actor, "key.revoked", f"key:{key.id}", {})


def get_user(session: Session, email: str) -> User:
    """The account of `email`.

    Raises:
        NotFound: there is none.
    """
    user = find_user(session, email)
    if user is None:
        raise NotFound(f"There is no account for {email}. Make one: copygen user add {email}")
    return user


def find_key(session: Session, secret: str) -> tuple[ApiKey, User] | None:
    """The key and its user, unless it was revoked or the account closed."""
    key = session.exec(select(ApiKey).where(ApiKey.key_sha256 == _sha256(secret))).first()
    if key is None or key.revoked_at is not None:
        return None
    user = session.get(User, key.user_id)
    return (key, user) if user and user.active else None
