"""The API, over the real application: accept, write, decide, serve."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from copygen.api.problems import MAX_BODY_BYTES
from copygen.main import create_app
from copygen.models import Scope, Variant, text_sha256
from copygen.services import accounts
from copygen.settings import Settings

DEADLINE_S = 30
POLL_S = 0.05
REASON = "It is not how we talk."


@pytest.fixture
def app(desk: Any, settings: Settings, writer_of: Any) -> Any:
    """The application; its worker writes what the script says."""
    return create_app(settings, desk.database, writer=writer_of)


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    """A client of the application without its worker, which most tests can do without."""
    client = TestClient(app, raise_server_exceptions=False)
    yield client
    client.close()


@pytest.fixture
def running(app: Any) -> Iterator[TestClient]:
    """A client of the application with its worker."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def key(desk: Any) -> Any:
    """A function that makes the header with a key: by default one of the marketer, for all."""

    def make(who: str = "marketer", *scopes: str) -> dict[str, str]:
        user = getattr(desk.people, who)
        allowed = [scope for scope in Scope if who != "marketer" or scope != Scope.REVIEWS_WRITE]
        with desk.database.write() as session:
            secret = accounts.add_key(session, "tool", user.email, scopes or allowed)
        return {"Authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def body(desk: Any) -> dict[str, Any]:
    """A request of a batch."""
    return {
        "brief": desk.brief().model_dump(mode="json"),
        "brand": desk.brand().model_dump(mode="json"),
    }


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """Hold an answer to RFC 9457; its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found


def until_done(client: TestClient, location: str, header: dict[str, str]) -> dict[str, Any]:
    """Ask how far a batch is until it is finished."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.get(location, headers=header).json()
        if found["state"] not in ("queued", "running"):
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"the batch is still {found['state']}")


def decide(
    client: TestClient,
    header: dict[str, str],
    variant: str,
    sha256: str,
    decision: str = "approve",
    reason: str = REASON,
) -> Any:
    return client.post(
        f"/api/v1/variants/{variant}/decisions",
        json={"decision": decision, "sha256": sha256, "reason": reason},
        headers=header,
    )


def served(client: TestClient, header: dict[str, str], **query: str) -> list[dict[str, Any]]:
    response = client.get("/api/v1/variants", params=query, headers=header)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def test_a_brief_goes_in_and_reviewed_copy_comes_out(
    running: TestClient, desk: Any, key: Any, body: dict[str, Any], texts: list[str]
) -> None:
    tool, reviewer = key("marketer"), key("reviewer")
    accepted = running.post("/api/v1/batches", json=body, headers=tool)
    assert accepted.status_code == 202
    assert accepted.json()["state"] == "queued"
    assert accepted.headers["location"] == f"/api/v1/batches/{accepted.json()['id']}"

    status = until_done(running, accepted.headers["location"], tool)
    assert status == {
        "id": accepted.json()["id"],
        "state": "done",
        "error": None,
        "segments": [{"name": "new-subscribers", "wanted": 2, "stored": 2, "state": "done"}],
    }
    assert served(running, tool) == []

    first, second = served(running, tool, status="pending")
    assert (first["subject"], first["preview"]) == (None, None)
    approved = decide(running, reviewer, first["id"], first["sha256"], reason="")
    assert approved.status_code == 200
    assert approved.json()["state"] == "approved"

    (item,) = served(running, tool)
    assert f"{item['subject']}\n{item['preview']}" in texts
    assert text_sha256(item["subject"], item["preview"]) == item["sha256"] == first["sha256"]
    assert item == approved.json()
    assert item["approved_at"].endswith(("Z", "+00:00"))

    assert decide(running, reviewer, second["id"], second["sha256"], "reject").status_code == 200
    assert [each["id"] for each in served(running, tool)] == [first["id"]]

    revoked = decide(running, reviewer, first["id"], first["sha256"], "revoke")
    assert revoked.json()["state"] == "revoked"
    assert revoked.json()["subject"] is None
    assert served(running, tool) == []


def test_a_batch_that_fails_says_why(
    desk: Any, settings: Settings, writer_of: Any, key: Any, body: dict[str, Any]
) -> None:
    app = create_app(settings, desk.database, writer=lambda: writer_of(["one line"]))
    with TestClient(app) as client:
        header = key()
        location = client.post("/api/v1/batches", json=body, headers=header).headers["location"]
        status = until_done(client, location, header)
    assert status["state"] == "failed"
    assert "none was a subject and a preview" in status["error"]
    assert status["segments"][0]["state"] == "failed"


def test_the_application_tells_that_it_is_ready(running: TestClient) -> None:
    assert running.get("/healthz").json() == {"status": "ok"}
    assert running.get("/readyz").json() == {"status": "ok"}


# Who calls


ROUTES = [
    ("POST", "/api/v1/batches", "batches:write"),
    ("GET", "/api/v1/batches/x", "batches:read"),
    ("GET", "/api/v1/variants", "variants:read"),
    ("POST", "/api/v1/variants/x/decisions", "reviews:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer cg_unknown"}, {"Authorization": "Basic eDp5"}]
)
def test_without_a_known_key_nothing_is_answered(
    client: TestClient, method: str, path: str, scope: str, header: dict[str, str]
) -> None:
    response = client.request(method, path, headers=header)
    assert_problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_key_of_all_other_scopes_is_refused(
    client: TestClient, key: Any, method: str, path: str, scope: str
) -> None:
    header = key("admin", *[each for each in Scope if each != scope])
    assert scope in assert_problem(client.request(method, path, headers=header), 403)["detail"]


def test_a_revoked_key_is_unknown(client: TestClient, desk: Any, key: Any) -> None:
    header = key()
    assert client.get("/api/v1/variants", headers=header).status_code == 200
    desk.sql("UPDATE api_key SET revoked_at = '2026-01-01 00:00:00.000000'")
    assert_problem(client.get("/api/v1/variants", headers=header), 401)


def test_a_browsers_login_is_no_key(client: TestClient, desk: Any) -> None:
    with desk.database.write() as session:
        _, password = accounts.add_user(session, "anna@example.com", "admin")
        token, _ = accounts.log_in(
            session, accounts.authenticate(session, "anna@example.com", password)
        )
    cookie = {"Cookie": f"copygen_session={token}"}
    assert_problem(client.get("/api/v1/variants", headers=cookie), 401)


# Requesting


def test_a_repeated_request_is_the_same_batch(
    client: TestClient, key: Any, body: dict[str, Any]
) -> None:
    header = key() | {"Idempotency-Key": "k"}
    first, second = [client.post("/api/v1/batches", json=body, headers=header) for _ in range(2)]
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["location"] == second.headers["location"]


def test_the_same_key_with_another_body_is_a_conflict(
    client: TestClient, key: Any, body: dict[str, Any]
) -> None:
    header = key() | {"Idempotency-Key": "k"}
    client.post("/api/v1/batches", json=body, headers=header)
    body["brief"]["cta"] = "Buy now"
    assert_problem(client.post("/api/v1/batches", json=body, headers=header), 409)


@pytest.mark.parametrize("value", ["", "x" * 201])
def test_an_idempotency_key_out_of_range_is_refused(
    client: TestClient, key: Any, body: dict[str, Any], value: str
) -> None:
    header = key() | {"Idempotency-Key": value}
    assert_problem(client.post("/api/v1/batches", json=body, headers=header), 422)


def test_a_known_brand_may_be_left_out(client: TestClient, key: Any, body: dict[str, Any]) -> None:
    header = key()
    without = {"brief": body["brief"]}
    found = assert_problem(client.post("/api/v1/batches", json=without, headers=header), 404)
    assert "harrow-and-pine" in found["detail"]
    assert client.post("/api/v1/batches", json=body, headers=header).status_code == 202
    assert client.post("/api/v1/batches", json=without, headers=header).status_code == 202


def fields(response: Any) -> list[str]:
    return [each["field"] for each in assert_problem(response, 422)["errors"]]


def test_an_unknown_key_is_named_with_a_hint(
    client: TestClient, key: Any, body: dict[str, Any]
) -> None:
    body["brief"]["fakts"] = body["brief"].pop("facts")
    response = client.post("/api/v1/batches", json=body, headers=key())
    assert sorted(fields(response)) == ["brief.facts", "brief.fakts"]
    assert "'facts'" in response.text


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["brief", "facts"], [], "brief.facts"),
        (["brief", "limits", "subject"], 3, "brief.limits.subject"),
        (["brief", "segments", 0, "tags"], {}, "brief.segments.0.tags"),
        (["brief", "intent"], "spam", "brief.intent"),
        (["brand", "jurisdictions"], [], "brand.jurisdictions"),
        (["brief", "cta"], "Choose\u0000", "brief.cta"),
        (["brief", "variants"], 10**400, "brief.variants"),
        (["more"], 1, "more"),
    ],
)
def test_a_mistake_is_named_by_its_field(
    client: TestClient, key: Any, body: dict[str, Any], path: list[Any], value: Any, field: str
) -> None:
    part: Any = body
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert fields(client.post("/api/v1/batches", json=body, headers=key())) == [field]


def test_a_tag_that_a_segment_lacks_is_named(
    client: TestClient, key: Any, body: dict[str, Any]
) -> None:
    body["brief"]["cta"] = "Choose, {{ last_name }}"
    response = client.post("/api/v1/batches", json=body, headers=key())
    assert "last_name" in assert_problem(response, 422)["detail"]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("key", '{"brief": {}, "\\ud83d": 1}'),
        ("value", '{"brief": {"cta": "\\ud83d"}}'),
        ("type", '{"brief": {"\\ud83d": "\\ud83d"}, "brand": "\\ud83d"}'),
    ],
)
def test_half_a_character_is_the_callers_mistake(
    client: TestClient, key: Any, place: str, text: str
) -> None:
    header = key() | {"Content-Type": "application/json"}
    assert_problem(client.post("/api/v1/batches", content=text, headers=header), 422)


@pytest.mark.parametrize(
    "content", [b"{", b"{'brief': 1}", b"\xff\xfe", b"[" * 50_000, b'{"n": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_is_told_so(client: TestClient, key: Any, content: bytes) -> None:
    header = key() | {"Content-Type": "application/json"}
    assert_problem(client.post("/api/v1/batches", content=content, headers=header), 400)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'"brief"', b"1"])
def test_json_that_is_no_request_is_told_so(client: TestClient, key: Any, content: bytes) -> None:
    header = key() | {"Content-Type": "application/json"}
    assert_problem(client.post("/api/v1/batches", content=content, headers=header), 422)


def test_a_body_of_two_megabytes_is_too_large(client: TestClient, key: Any) -> None:
    header = key() | {"Content-Type": "application/json"}
    content = b'{"brief": "' + b"x" * 2_000_000 + b'"}'
    response = client.post("/api/v1/batches", content=content, headers=header)
    assert str(MAX_BODY_BYTES) in assert_problem(response, 413)["detail"]


def test_a_body_of_untold_length_is_too_large_too(client: TestClient, key: Any) -> None:
    header = key() | {"Content-Type": "application/json"}
    parts = (b"x" * 100_000 for _ in range(20))
    assert_problem(client.post("/api/v1/batches", content=parts, headers=header), 413)


# Asking


def test_a_batch_that_there_is_not_is_told_so(client: TestClient, key: Any) -> None:
    assert_problem(client.get("/api/v1/batches/x", headers=key()), 404)


def test_what_has_not_changed_is_not_sent_again(client: TestClient, desk: Any, key: Any) -> None:
    header = key()
    (variant,) = desk.fill(desk.brief(variants=1))
    for path in ["/api/v1/variants", f"/api/v1/batches/{desk.request()}"]:
        first = client.get(path, headers=header)
        etag = first.headers["etag"]
        for known in [etag, f'"other", {etag}', f"W/{etag}", "*"]:
            again = client.get(path, headers=header | {"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), known
            assert again.headers["etag"] == etag
        assert client.get(path, headers=header | {"If-None-Match": '"other"'}).json()
    etag = client.get("/api/v1/variants", headers=header).headers["etag"]
    desk.decide(variant)
    changed = client.get("/api/v1/variants", headers=header | {"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_pages_walk_all_variants_once(client: TestClient, desk: Any, key: Any) -> None:
    header = key()
    expected = [desk.decide(each).id for each in desk.fill(desk.brief(variants=5))]
    found, cursor = [], ""
    while cursor is not None:
        query = {"limit": 2, "cursor": cursor}
        page = client.get("/api/v1/variants", params=query, headers=header).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert found == expected


def test_variants_are_filtered(client: TestClient, desk: Any, key: Any) -> None:
    header = key()
    for campaign in ("autumn-knitwear", "winter-coats"):
        for each in desk.fill(desk.brief(campaign=campaign)):
            desk.decide(each)
    for query, count in [
        ({"campaign": "winter-coats"}, 2),
        ({"brand": "harrow-and-pine"}, 4),
        ({"brand": "other"}, 0),
        ({"segment": "new-subscribers", "campaign": "autumn-knitwear"}, 2),
        ({"status": "pending"}, 0),
    ]:
        assert len(served(client, header, **query)) == count


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "sent"}, "status"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgIngiXQ=="}, "cursor"),
    ],
)
def test_a_query_that_can_not_be_is_named(
    client: TestClient, key: Any, query: dict[str, str], field: str
) -> None:
    response = client.get("/api/v1/variants", params=query, headers=key())
    assert fields(response) == [field]


# Deciding


@pytest.fixture
def variant(desk: Any) -> Variant:
    """A pending variant, requested by the marketer."""
    return desk.fill(desk.brief(variants=1))[0]


@pytest.mark.parametrize("who", ["reviewer", "admin"])
def test_the_requesters_own_key_can_not_approve(
    client: TestClient, desk: Any, key: Any, who: str
) -> None:
    (variant,) = desk.fill(desk.brief(variants=1), by=getattr(desk.people, who))
    assert_problem(decide(client, key(who), variant.id, variant.sha256), 403)
    approved = decide(client, key("other_reviewer"), variant.id, variant.sha256)
    assert approved.status_code == 200


def test_a_key_loses_its_reviews_with_its_users_role(
    client: TestClient, desk: Any, key: Any, variant: Variant
) -> None:
    header = key("reviewer")
    desk.sql("UPDATE user_account SET role = 'marketer' WHERE role = 'reviewer'")
    assert_problem(decide(client, header, variant.id, variant.sha256), 403)


def test_a_decision_on_another_text_is_a_conflict(
    client: TestClient, key: Any, variant: Variant
) -> None:
    assert_problem(decide(client, key("reviewer"), variant.id, "0" * 64), 409)


@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_second_decision_is_a_conflict(
    client: TestClient, key: Any, variant: Variant, second: str
) -> None:
    assert decide(client, key("reviewer"), variant.id, variant.sha256).status_code == 200
    again = decide(client, key("other_reviewer"), variant.id, variant.sha256, second)
    assert_problem(again, 409)


def test_an_ended_offer_is_a_conflict(client: TestClient, desk: Any, key: Any) -> None:
    (variant,) = desk.fill(desk.brief(variants=1, offer=desk.offer(timedelta(minutes=-1))))
    assert_problem(decide(client, key("reviewer"), variant.id, variant.sha256), 409)


def test_a_rejection_without_a_reason_is_refused(
    client: TestClient, key: Any, variant: Variant
) -> None:
    response = decide(client, key("reviewer"), variant.id, variant.sha256, "reject", "")
    assert fields(response) == ["reason"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"decision": "revise"}, "decision"),
        ({"decision": None}, "decision"),
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": 7}, "reason"),
        ({"because": "x"}, "because"),
    ],
)
def test_a_decision_that_can_not_be_is_named_by_its_field(
    client: TestClient, key: Any, variant: Variant, change: dict[str, Any], field: str
) -> None:
    sent = {"decision": "reject", "sha256": variant.sha256, "reason": REASON} | change
    path = f"/api/v1/variants/{variant.id}/decisions"
    assert fields(client.post(path, json=sent, headers=key("reviewer"))) == [field]


def test_half_a_character_in_a_reason_is_the_callers_mistake(
    client: TestClient, key: Any, variant: Variant
) -> None:
    content = json.dumps({"decision": "reject", "sha256": variant.sha256, "reason": "\ud83d"})
    header = key("reviewer") | {"Content-Type": "application/json"}
    path = f"/api/v1/variants/{variant.id}/decisions"
    assert fields(client.post(path, content=content, headers=header)) == ["reason"]


def test_a_decision_on_nothing_is_told_so(client: TestClient, key: Any) -> None:
    assert_problem(decide(client, key("reviewer"), "x", "0" * 64), 404)


# Everything under /api/


@pytest.mark.parametrize("path", ["/api/", "/api/v1", "/api/v1/nothing", "/api/v2/variants"])
def test_a_path_that_there_is_not_is_a_problem(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/batches", "POST"),
        ("PUT", "/api/v1/variants", "GET"),
        ("GET", "/api/v1/variants/x/decisions", "POST"),
    ],
)
def test_a_method_that_there_is_not_is_a_problem(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert_problem(response, 405)
    assert allowed in response.headers["allow"]


def test_a_failure_of_ours_is_a_problem_that_tells_nothing(
    client: TestClient, desk: Any, key: Any
) -> None:
    header = key()
    desk.tamper("ALTER TABLE variant RENAME TO elsewhere")
    found = assert_problem(client.get("/api/v1/variants", headers=header), 500)
    assert "elsewhere" not in json.dumps(found)
    assert "SELECT" not in json.dumps(found)


def test_the_api_describes_itself(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {
        (path, method) for path, methods in document["paths"].items() for method in methods
    } == {
        ("/api/v1/batches", "post"),
        ("/api/v1/batches/{batch_id}", "get"),
        ("/api/v1/variants", "get"),
        ("/api/v1/variants/{variant_id}/decisions", "post"),
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["security"]
            assert operation["summary"]
