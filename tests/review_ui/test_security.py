import pytest

from review_ui.security import HEADERS, MAX_FORM_BYTES, Throttle, local_path
from tests.review_ui.samples import Shop, Text


@pytest.mark.parametrize(
    "value",
    [
        "",
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "javascript:alert(1)",
        "queue",
        "/queue\r\nSet-Cookie: a=b",
        "/ü",
    ],
)
def test_only_paths_of_this_host_are_gone_to_after_a_login(value: str, shop: Shop) -> None:
    assert local_path(value) == "/queue"
    user, password = shop.users["reviewer"]
    form = {"email": user.email, "password": password, "next": value}
    assert shop.client().post("/login", data=form).headers["location"] == "/queue"
    there = shop.client("reviewer").get("/login", params={"next": value})
    assert there.headers["location"] == "/queue"


def test_a_local_path_keeps_its_query() -> None:
    assert local_path("/queue?campaign=a%20b&page=2") == "/queue?campaign=a%20b&page=2"


def test_every_page_static_file_and_error_has_the_security_headers(shop: Shop) -> None:
    client = shop.client("reviewer")
    for path in ["/queue", "/batches", "/nowhere", "/variants/none", "/static/style.css"]:
        headers = client.get(path).headers
        for name in HEADERS.keys() - {"Cache-Control"}:
            assert headers[name] == HEADERS[name], path
        assert ("no-store" in headers["cache-control"]) != path.startswith("/static"), path
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_pages_hold_no_inline_script_style_or_handler(shop: Shop) -> None:
    shop.add_batch({"new-subscribers": [Text("A jumper")]})
    client = shop.client("reviewer")
    variant = shop.variant("A jumper").variant
    for path in ["/queue", f"/variants/{variant.id}", "/batches", "/nowhere"]:
        page = client.get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert page.count("<script") == page.count('<script src="/static/htmx.js?v=') == 1
        assert " on" not in [part[:3] for part in page.split('"')]


def test_the_cookie_is_http_only_lax_and_secure_where_the_settings_say_so(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.review_ui.samples import open_shop

    for each, secure in [
        (shop, False),
        (open_shop(tmp_path_factory.mktemp("https"), secure_cookies=True), True),
    ]:
        user, password = each.users["reviewer"]
        answer = each.client().post("/login", data={"email": user.email, "password": password})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("copygen_session=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        assert ("Secure" in cookie) is secure


def test_a_form_without_this_logins_token_is_refused(shop: Shop) -> None:
    shop.add_batch({"new-subscribers": [Text("A jumper")]})
    client, other = shop.client("reviewer"), shop.client("reviewer")
    variant = shop.variant("A jumper").variant
    form = {"kind": "approve", "sha256": variant.sha256}
    for csrf in ["", "wrong", "ü", shop.csrf(other)]:
        answer = client.post(f"/variants/{variant.id}/decision", data={**form, "csrf": csrf})
        assert answer.status_code == 403
        assert client.post("/logout", data={"csrf": csrf}).status_code == 403
    assert shop.variant("A jumper").variant.state == "pending"
    assert client.get("/queue").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
    ],
)
def test_a_form_sent_by_another_site_is_refused(shop: Shop, headers: dict[str, str]) -> None:
    shop.add_batch({"new-subscribers": [Text("A jumper")]})
    client = shop.client("reviewer")
    variant = shop.variant("A jumper").variant
    form = {"kind": "approve", "sha256": variant.sha256, "csrf": shop.csrf(client)}
    path = f"/variants/{variant.id}/decision"
    assert client.post(path, data=form, headers=headers).status_code == 403
    user, password = shop.users["reviewer"]
    login = {"email": user.email, "password": password}
    assert shop.client().post("/login", data=login, headers=headers).status_code == 403
    assert shop.variant("A jumper").variant.state == "pending"
    own = {"origin": "http://testserver"}
    assert client.post(path, data=form, headers=own).status_code == 303


def test_a_form_that_is_too_large_or_of_untold_length_is_refused(shop: Shop) -> None:
    client = shop.client()
    large = client.post("/login", data={"email": "a" * MAX_FORM_BYTES})
    assert large.status_code == 413
    chunked = client.post("/login", content=iter([b"email=a"]))
    assert chunked.status_code == 413


def test_failures_are_forgotten_after_their_time() -> None:
    moment = [0.0]
    throttle = Throttle(limit=2, seconds=10, clock=lambda: moment[0])
    throttle.failed("a")
    assert not throttle.is_closed("a")
    moment[0] = 5
    throttle.failed("a")
    assert throttle.is_closed("a")
    assert not throttle.is_closed("b")
    moment[0] = 10
    assert not throttle.is_closed("a")


def test_the_throttle_remembers_no_more_keys_than_it_may() -> None:
    throttle = Throttle(limit=1, max_keys=2)
    for key in "abc":
        throttle.failed(key)
    assert [throttle.is_closed(key) for key in "abc"] == [False, True, True]
