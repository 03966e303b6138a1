"""Errors of the service. Each one's text names the cause, the field or file, and the fix.

CopygenError                 ours: exit status 1, HTTP 500
├── UserError                the caller's to mend: exit status 2
│   ├── InvalidInput         a brief, brand, prompt, setting or request can't be used: 422
│   ├── Unauthenticated      no or a wrong login or key: 401
│   ├── Forbidden            the account or key may not do this: 403
│   ├── NotFound             there is no such thing: 404
│   ├── Conflict             it was changed, decided or requested otherwise meanwhile: 409
│   ├── WeightsMissing       model weights are missing or not the pinned ones
│   └── DatabaseTooNew       the database belongs to a newer version
├── GenerationFailed         the model gave nothing usable, or broke off
└── StoreFailed              the store can't be used right now, and may be later
    ├── OutOfSpace           the disk is full
    └── StoreBusy            another process holds it, or it can't be reached
"""


class CopygenError(Exception):
    """Base of all errors of the service."""

    exit_status = 1
    http_status = 500
    title = "Internal error"


class UserError(CopygenError):
    """Something that whoever called can mend."""

    exit_status = 2
    http_status = 400
    title = "Bad request"


class InvalidInput(UserError):
    """A brief, brand, prompt, setting or request can't be used as it stands."""

    http_status = 422
    title = "Invalid input"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Unauthenticated(UserError):
    """No login or key, or a wrong one."""

    http_status = 401
    title = "Not authenticated"


class Forbidden(UserError):
    """The account or key may not do this."""

    http_status = 403
    title = "Not allowed"


class NotFound(UserError):
    """There is no such thing."""

    http_status = 404
    title = "Not found"


class Conflict(UserError):
    """It was changed, decided or requested otherwise meanwhile."""

    http_status = 409
    title = "Conflict"


class WeightsMissing(UserError):
    """Model weights are missing, or are not the pinned ones."""

    http_status = 503
    title = "Model weights missing"


class DatabaseTooNew(UserError):
    """The database belongs to a newer version of copygen."""

    http_status = 503
    title = "Database of a newer version"


class GenerationFailed(CopygenError):
    """The model gave nothing usable, or broke off."""

    title = "Generation failed"


class StoreFailed(CopygenError):
    """The store can't be used right now, and may be later."""

    http_status = 503
    title = "Store not available"


class OutOfSpace(StoreFailed):
    """The disk is full."""

    http_status = 507
    title = "Out of disk space"


class StoreBusy(StoreFailed):
    """Another process holds the store, or it can't be reached."""

    title = "Store busy"
