"""The portal's WSGI application, and at /fields the wizard's twenty fields without the page around them."""

from collections.abc import Callable, Iterable
from typing import Any

from django.template.loader import get_template

from portal.web.forms.spec import fields
from portal.wsgi import application as portal
from tests.bench import samples

_properties = samples.wizard_type().properties
_addresses = {"check_url": "/drafts/1/field/", "edit_url": "/drafts/1/inputs/"}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/fields":
        answer: Iterable[bytes] = portal(environ, start_response)
        return answer
    drawn = fields(_properties, samples.WIZARD_INPUTS, prefix="/spec")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [get_template("forms/fields.html").render({"fields": drawn, **_addresses}).encode()]
