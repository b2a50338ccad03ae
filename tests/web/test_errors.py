"""Every refusal becomes a page or a notice with the right status."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django_htmx.middleware import HtmxDetails

from portal.errors import Conflict, Forbidden, Invalid, NotFound, PortalError, QuotaExceeded, Unavailable
from portal.web.errors import ANSWERS, RefusalMiddleware, refuse
from provisioning.problems import Problem
from tests.factories import rows


def test_every_refusal_has_an_answer():
    assert set(ANSWERS) == set(PortalError.__subclasses__())


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NotFound("no"), 404),
        (Forbidden("no"), 403),
        (Conflict("no"), 409),
        (Invalid("no", [Problem("/name", "Too long.", file="schema.yaml", line=3)]), 422),
        (QuotaExceeded("no"), 409),
        (Unavailable("no"), 503),
    ],
)
def test_statuses_of_refusals(rf, refusal, status):
    request = _request(rf)
    page = refuse(request, refusal)
    request = _request(rf, HTTP_HX_REQUEST="true")
    notice = refuse(request, refusal)
    assert (page.status_code, notice.status_code) == (status, status)
    assert "<html" in page.content.decode()
    assert "<html" not in notice.content.decode()
    assert (notice["HX-Retarget"], notice["HX-Reswap"]) == ("#notices", "innerHTML")


def _request(rf, **headers):
    request = rf.get("/", **headers)
    request.user = AnonymousUser()
    request.htmx = HtmxDetails(request)
    return request


def test_problems_are_listed_with_file_and_line(rf):
    refusal = Invalid("Bad bundle", [Problem("", "'nope' is undefined", file="main.yaml", line=2)])
    text = refuse(_request(rf), refusal).content.decode()
    assert "main.yaml:2" in text
    assert "&#x27;nope&#x27; is undefined" in text


def test_what_is_not_a_refusal_stays_an_error(rf):
    assert RefusalMiddleware(lambda request: None).process_exception(_request(rf), ValueError("bug")) is None


@pytest.mark.django_db
def test_an_unknown_address_is_a_page_of_its_own(client):
    client.force_login(rows.person())
    response = client.get("/no/such/page/")
    assert response.status_code == 404
    assert "There is no page at this address" in response.content.decode()
