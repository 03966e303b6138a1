"""Each route and each role, as one table."""

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from tests.review_ui.samples import Shop, Text

ROLES = [None, "marketer", "reviewer", "admin", "auditor"]
TABLE = {
    # anonymous, marketer, reviewer, admin, auditor
    ("GET", "/"): [303, 303, 303, 303, 303],
    ("GET", "/queue"): [303, 200, 200, 200, 200],
    ("GET", "/variants/{variant_id}"): [303, 200, 200, 200, 200],
    ("GET", "/variants/{variant_id}/decision"): [303, 303, 303, 303, 303],
    ("POST", "/variants/{variant_id}/decision"): [303, 403, 303, 303, 403],
    ("GET", "/batches"): [303, 200, 200, 200, 200],
    ("GET", "/batches/{batch_id}"): [303, 200, 200, 200, 200],
    ("GET", "/login"): [200, 303, 303, 303, 303],
    ("POST", "/login"): [401, 401, 401, 401, 401],
    ("GET", "/logout"): [303, 303, 303, 303, 303],
    ("GET", "/static/{name}"): [200, 200, 200, 200, 200],
    ("POST", "/logout"): [303, 303, 303, 303, 303],
}
PUBLIC = {"/", "/variants/{variant_id}/decision", "/login", "/logout", "/static/{name}"}
"""Paths that a GET answers without a login: the redirects among them tell nothing."""


def routes(shop: Shop) -> Iterator[tuple[str, str]]:
    pending = list(shop.app.routes)
    while pending:
        route = pending.pop()
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in route.methods or ())
        else:
            nested = getattr(route, "original_router", route)
            pending += getattr(nested, "routes", [])


def test_the_table_names_every_route(shop: Shop) -> None:
    assert set(routes(shop)) == set(TABLE)


@pytest.mark.parametrize("index", range(len(ROLES)), ids=[role or "anonymous" for role in ROLES])
def test_each_route_answers_each_role_as_the_table_says(shop: Shop, index: int) -> None:
    role = ROLES[index]
    batch = shop.add_batch({"new-subscribers": [Text("A jumper")]})
    variant = shop.variant("A jumper").variant
    client = shop.client(role)
    for (method, path), expected in TABLE.items():
        where = path.format(variant_id=variant.id, batch_id=batch, name="style.css")
        form = {
            "csrf": shop.csrf(client) if role else "",
            "kind": "approve",
            "sha256": variant.sha256,
        }
        answer = client.request(method, where, data=form if method == "POST" else None)
        assert answer.status_code == expected[index], (method, path, role)
        if role is None and (method == "POST" or path not in PUBLIC) and path != "/login":
            assert answer.headers["location"].startswith("/login?next="), path
    state = shop.variant("A jumper").variant.state
    assert (state == "approved") is (role in ("reviewer", "admin"))


@pytest.mark.parametrize("role", ["marketer", "auditor"])
def test_who_only_reads_sees_no_decision_button(shop: Shop, role: str) -> None:
    shop.add_batch({"new-subscribers": [Text("A jumper")]})
    variant = shop.variant("A jumper").variant
    page = shop.client(role).get(f"/variants/{variant.id}").text
    assert "/decision" not in page
    assert "A reviewer decides on this text." in page
