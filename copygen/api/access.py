"""Who calls: bearer keys and their scopes."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from copygen.database import Database
from copygen.errors import Forbidden, Unauthenticated
from copygen.models import Scope, User
from copygen.services import accounts

BEARER = HTTPBearer(auto_error=False, description="An API key: `copygen key add`.")


def database(request: Request) -> Database:
    """The application's store."""
    store = request.app.state.database
    assert isinstance(store, Database)  # noqa: S101
    return store


Store = Annotated[Database, Depends(database)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


def needs(scope: Scope) -> Callable[..., User]:
    """A dependency: the user of a key that has `scope`."""

    def user(store: Store, credentials: Credentials) -> User:
        if credentials is None:
            raise Unauthenticated("Send an API key: 'Authorization: Bearer cg_…'.")
        with store.read() as session:
            found = accounts.find_key(session, credentials.credentials)
            if found is None:
                raise Unauthenticated("This API key is unknown or was revoked.")
            key, owner = found
            if scope not in key.scopes:
                raise Forbidden(f"This key lacks the scope {scope}.")
            session.expunge(owner)
            return owner

    return user
