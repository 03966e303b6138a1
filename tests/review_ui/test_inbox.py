from copygen.schemas import MergeTag
from review_ui.inbox import CLIENTS, cut, filled, inbox

TAGS = {"first_name": MergeTag(fallback="there")}


def test_a_merge_tag_shows_the_fallback_written_in_it() -> None:
    assert filled('Hello {{ first_name | default: "friend" }}, it\'s here', TAGS) == (
        "Hello friend, it's here"
    )
    assert filled("Hello {{first_name|default:'friend'}}", TAGS) == "Hello friend"


def test_a_merge_tag_without_one_shows_the_segments_fallback_and_an_unknown_one_nothing() -> None:
    assert filled("Hello {{ first_name }}{{ city }}", TAGS) == "Hello there"


def test_a_text_is_cut_to_the_length_with_its_ellipsis() -> None:
    assert cut("abcdef", 6).shown == "abcdef"
    short = cut("A jumper for a wet Tuesday", 10)
    assert (short.shown, short.hidden) == ("A jumper…", "for a wet Tuesday")


def test_every_client_cuts_at_its_own_length() -> None:
    lines = inbox("Harrow & Pine", "s" * 80, "p" * 120, {})
    assert [(len(line.subject.shown), len(line.preview.shown)) for line in lines] == [
        (client.subject, client.preview) for client in CLIENTS
    ]
    assert lines[0].lost == [("subject", 44), ("preview", 84)]
