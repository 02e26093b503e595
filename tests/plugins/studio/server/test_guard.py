"""Who may ask the studio: its own page, on this machine, with the secret; and what every answer says."""

from __future__ import annotations

import pytest

from pentad_studio.server.guard import MOST_BYTES

HOST = "http://127.0.0.1:8760"


def test_the_own_page_is_answered(page):
    assert page.get("alive").text == "alive"


@pytest.mark.parametrize("path", ["/tokens", "/", "/secret-of-this-tesT/tokens", "/secret-of-this-test2/tokens", "//tokens"])
def test_without_the_secret_nothing_is_answered(page, path):
    assert page.get(f"{HOST}{path}").status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8760", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8760"]
)
def test_another_host_is_refused_so_that_no_name_can_be_made_to_mean_this_machine(page, host):
    assert page.get("tokens", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_page_is_refused(page, method, headers):
    assert page.request(method, "tokens-part", headers=headers).status_code == 403


def test_a_form_must_say_where_it_comes_from(page):
    assert page.post("tokens-part", headers={"origin": ""}).status_code == 403


def test_a_body_is_limited(page):
    assert page.post("tokens-part", content=b"a" * (MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("address", ["tokens", "static/live.js", "static/charts.css", "nothing"])
def test_every_answer_allows_the_own_files_alone_and_goes_to_nobody_else(page, address):
    headers = page.get(address).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_files_beside_the_static_ones_are_not_served(page):
    assert page.get("static/../command.py").status_code == 404
    assert page.get("static/%2e%2e/command.py").status_code == 404


@pytest.mark.parametrize("address", ["tokens", "examples", "generation", "training", "comparisons"])
def test_pages_ask_no_network_and_hold_no_script_of_their_own(page, address):
    answer = page.get(address)
    text = answer.text
    assert answer.status_code == 200
    assert "http://" not in text and "https://" not in text
    assert "<script>" not in text and " style=" not in text and " onclick=" not in text
