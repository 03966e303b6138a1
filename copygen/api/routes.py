"""Routes under /api/v1."""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from copygen import schemas
from copygen.api.access import Store, needs
from copygen.api.problems import answer, invalid
from copygen.errors import CopygenError
from copygen.models import BatchState, DecisionKind, Scope, User, VariantState
from copygen.services import batches, delivery, review


class ProblemRoute(APIRoute):
    """A route whose errors are answered as problems."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors turned into answers."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except CopygenError as error:
                return answer(error)
            except RequestValidationError as error:
                return invalid(error)

        return handle


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An error (RFC 9457). `errors` is there where fields are wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None


PROBLEMS = {
    400: "The body is not JSON",
    401: "No key, or an unknown one",
    403: "The key or its account may not do this",
    404: "No such thing",
    409: "Changed, decided or requested otherwise meanwhile",
    413: "The body is too large",
    422: "A field is wrong",
    503: "The store or the weights are not available",
}
router = APIRouter(
    prefix="/api/v1",
    route_class=ProblemRoute,
    responses={
        status: {
            "description": text,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status, text in PROBLEMS.items()
    },
)


class Body(BaseModel):
    """Base of request bodies: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class BatchRequest(Body):
    """A brief, and its brand unless the store knows it."""

    brief: schemas.Brief
    brand: schemas.Brand | None = None


class BatchAccepted(BaseModel):
    """A batch that will be written."""

    id: str
    state: BatchState


class SegmentStatus(BaseModel):
    """How far a segment is: `stored` of `wanted` variants."""

    name: str
    wanted: int
    stored: int
    state: BatchState


class BatchStatus(BaseModel):
    """How far a batch is."""

    id: str
    state: BatchState
    error: str | None
    segments: list[SegmentStatus]


class VariantItem(BaseModel):
    """A variant. `subject` and `preview` are null unless it is approved: text leaves when it may."""

    id: str
    brand: str
    campaign: str
    segment: str
    slot: int
    subject: str | None
    preview: str | None
    sha256: str
    state: VariantState
    approved_at: datetime | None


class VariantPage(BaseModel):
    """Variants, oldest first; `next_cursor` is null on the last page."""

    items: list[VariantItem]
    next_cursor: str | None


class DecisionRequest(Body):
    """What to do with exactly the text that hashes to `sha256`."""

    decision: Literal["approve", "reject", "revoke"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    reason: str = ""


@router.post("/batches", status_code=202, summary="Request a batch")
def request_batch(
    body: BatchRequest,
    store: Store,
    user: Annotated[User, Depends(needs(Scope.BATCHES_WRITE))],
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> BatchAccepted:
    """Accept a brief for writing. A repeat with the same Idempotency-Key gives the same batch."""
    with store.write() as session:
        batch = batches.request(
            session, user, body.brief, body.brand, idempotency_key=idempotency_key
        )
        response.headers["Location"] = f"/api/v1/batches/{batch.id}"
        return BatchAccepted(id=batch.id, state=batch.state)


@router.get("/batches/{batch_id}", summary="How far a batch is", response_model=BatchStatus)
def get_batch(
    batch_id: str,
    store: Store,
    user: Annotated[User, Depends(needs(Scope.BATCHES_READ))],  # noqa: ARG001
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """State of a batch and of each of its segments."""
    with store.read() as session:
        status = BatchStatus.model_validate(asdict(batches.progress(session, batch_id)))
    return _tagged(status, if_none_match)


@router.get("/variants", summary="Approved variants", response_model=VariantPage)
def get_variants(
    store: Store,
    user: Annotated[User, Depends(needs(Scope.VARIANTS_READ))],  # noqa: ARG001
    status: VariantState = VariantState.APPROVED,
    brand: str = "",
    campaign: str = "",
    segment: str = "",
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Variants in a state, by default the approved ones. Only these carry their text."""
    with store.read() as session:
        page = delivery.variants(
            session,
            status=status,
            brand=brand,
            campaign=campaign,
            segment=segment,
            cursor=cursor,
            limit=limit,
        )
    return _tagged(VariantPage.model_validate(asdict(page)), if_none_match)


@router.post("/variants/{variant_id}/decisions", summary="Approve, reject or revoke")
def decide(
    variant_id: str,
    body: DecisionRequest,
    store: Store,
    user: Annotated[User, Depends(needs(Scope.REVIEWS_WRITE))],
) -> VariantItem:
    """Decide on a variant: 409 where it was decided already or its text is another."""
    with store.write() as session:
        review.decide(
            session, user, variant_id, DecisionKind(body.decision), body.sha256, body.reason
        )
        return VariantItem.model_validate(asdict(delivery.one(session, variant_id)))


def _tagged(body: BaseModel, if_none_match: str | None) -> Response:
    """The body with its ETag, or 304 where the caller has it."""
    content = body.model_dump_json().encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    known = {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
    if known & {etag, "*"}:
        return Response(status_code=304, headers=headers)
    return JSONResponse(body.model_dump(mode="json"), headers=headers)
