"""The Python of docs/people.md finds what the page says."""

import pages


def test_it_finds_the_friend_of_friends():
    assert pages.run_page("docs/people.md")["found"] == "cid"
