"""Brands in the store."""

import hashlib
import json

from sqlmodel import Session

from copygen import schemas
from copygen.errors import NotFound
from copygen.models import Brand, now
from copygen.services import audit


def save(session: Session, brand: schemas.Brand, actor: str) -> None:
    """Store `brand`, in place of an earlier one with its slug."""
    document = brand.model_dump(mode="json")
    stored = session.get(Brand, brand.slug)
    if stored is not None and stored.document == document:
        return
    if stored is None:
        stored = Brand(slug=brand.slug, name=brand.name, document=document)
    stored.name, stored.document, stored.updated_at = brand.name, document, now()
    session.add(stored)
    session.flush()
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    audit.record(session, actor, "brand.saved", f"brand:{brand.slug}", {"sha256": digest})


def find(session: Session, slug: str) -> schemas.Brand | None:
    """The stored brand of `slug`, if there is one."""
    stored = session.get(Brand, slug)
    return schemas.Brand.model_validate(stored.document) if stored else None


def get(session: Session, slug: str) -> schemas.Brand:
    """The stored brand of `slug`.

    Raises:
        NotFound: there is none.
    """
    brand = find(session, slug)
    if brand is None:
        raise NotFound(
            f"The brand {slug!r} is not known. Send it along with the brief, as 'brand'."
        )
    return brand
