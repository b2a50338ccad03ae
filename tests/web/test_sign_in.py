"""Coming in, going out, and what machines ask."""

import pytest
from django.urls import reverse

from tests.factories import rows

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in_and_back_to_the_page_that_was_wanted(client):
    rows.person("maria")
    response = client.get("/templates/?q=vpc")
    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/templates/%3Fq%3Dvpc")
    response = client.post(
        response["Location"], {"username": "maria", "password": "correct horse", "next": "/templates/?q=vpc"}
    )
    assert (response.status_code, response["Location"]) == (302, "/templates/?q=vpc")


def test_a_wrong_password_answers_422_and_keeps_the_name(client):
    rows.person("maria")
    response = client.post("/sign-in/", {"username": "maria", "password": "guess"})
    assert response.status_code == 422
    assert 'value="maria"' in response.content.decode()
    assert "guess" not in response.content.decode()


def test_a_part_that_polls_after_its_session_ended_takes_the_whole_page_to_sign_in(client):
    response = client.get(
        "/templates/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/templates/environment/vpc/"},
        follow=True,
    )
    assert response["HX-Redirect"] == "/sign-in/?next=%2Ftemplates%2Fenvironment%2Fvpc%2F"


def test_signing_out_takes_a_post(client):
    client.force_login(rows.person())
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == reverse("sign-in")
    assert client.get("/").status_code == 302


def test_the_demo_people_are_named_only_in_the_demo(client, settings):
    settings.EMBEDDED = False
    assert "password is the name" not in client.get("/sign-in/").content.decode()
    settings.EMBEDDED = True
    assert "password is the name" in client.get("/sign-in/").content.decode()


def test_health_needs_no_sign_in_and_degraded_parts_do_not_fail_it(client, settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    assert client.get("/healthz/live").content == b"ok\n"
    response = client.get("/healthz/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")
    assert response.json()["blockers"] == {}
    assert "broker" in response.json()["degraded"]
