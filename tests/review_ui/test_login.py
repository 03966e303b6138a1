from tests.review_ui.samples import Shop


def test_a_login_goes_to_the_page_that_was_asked_for(shop: Shop) -> None:
    client = shop.client()
    away = client.get("/queue?campaign=spring")
    assert away.status_code == 303
    assert away.headers["location"] == "/login?next=/queue%3Fcampaign%3Dspring"
    form = client.get(away.headers["location"]).text
    assert 'name="next" value="/queue?campaign=spring"' in form


def test_htmx_is_sent_to_the_login_as_a_whole_page(shop: Shop) -> None:
    answer = shop.client().get("/queue", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=/queue"


def test_a_wrong_password_keeps_the_address_typed_and_tells_no_more(shop: Shop) -> None:
    user, _ = shop.users["reviewer"]
    answers = [
        shop.client().post("/login", data={"email": email, "password": "wrong"})
        for email in [user.email, "nobody@example.com"]
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert f'value="{user.email}"' in answers[0].text
    for answer in answers:
        assert "The e-mail address or the password is wrong." in answer.text
        assert "copygen_session" not in answer.headers.get("set-cookie", "")


def test_the_eleventh_try_in_five_minutes_is_refused_even_with_the_right_password(
    shop: Shop,
) -> None:
    user, password = shop.users["reviewer"]
    client = shop.client()
    for _ in range(10):
        form = {"email": user.email.upper(), "password": "wrong"}
        assert client.post("/login", data=form).status_code == 401
    answer = client.post("/login", data={"email": user.email, "password": password})
    assert answer.status_code == 429
    assert "Wait five minutes" in answer.text
    other, password = shop.users["admin"]
    assert client.post("/login", data={"email": other.email, "password": password}).is_redirect


def test_a_login_takes_a_new_token_and_ends_the_one_before(shop: Shop) -> None:
    client = shop.client("reviewer")
    before = client.cookies["copygen_session"]
    user, password = shop.users["reviewer"]
    client.post("/login", data={"email": user.email, "password": password})
    assert client.cookies["copygen_session"] != before
    old = shop.client()
    old.cookies.set("copygen_session", before)
    assert old.get("/queue").status_code == 303


def test_a_planted_token_is_never_taken_over(shop: Shop) -> None:
    client = shop.client()
    client.cookies.set("copygen_session", "planted")
    user, password = shop.users["reviewer"]
    answer = client.post("/login", data={"email": user.email, "password": password})
    assert "planted" not in answer.headers["set-cookie"]


def test_after_logging_out_the_token_opens_nothing(shop: Shop) -> None:
    client = shop.client("reviewer")
    token = client.cookies["copygen_session"]
    assert client.post("/logout", data={"csrf": shop.csrf(client)}).headers["location"] == "/login"
    old = shop.client()
    old.cookies.set("copygen_session", token)
    assert old.get("/queue").status_code == 303
