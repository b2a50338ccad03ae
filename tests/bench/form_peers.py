"""The page with twenty inputs as others draw it: by ``django.forms``, and by one template written by hand.

Runs in the minimal project. Both know their fields from the start; neither says defaults or limits in words.
"""

from collections.abc import Callable
from typing import Any

from provisioning.schema import Property
from tests.bench import samples

PAGE = """\
<!doctype html>
<html lang="en"><head><title>New environment</title></head><body>
<form method="post">{{ form }}<button>Continue</button></form></body></html>
"""
HAND = """\
<!doctype html>
<html lang="en"><head><title>New environment</title></head><body>
<form method="post">
{% for field in fields %}<div><label for="id_{{ field.name }}">{{ field.title }}</label>
{% if field.enum %}<select id="id_{{ field.name }}" name="{{ field.name }}">
{% for choice in field.enum %}<option value="{{ choice }}"
{%- if choice == values[field.name] %} selected{% endif %}>{{ choice }}</option>
{% endfor %}</select>
{% elif field.kind == "boolean" %}<input type="checkbox" id="id_{{ field.name }}" name="{{ field.name }}"
{%- if values[field.name] %} checked{% endif %}>
{% else %}<input type="{{ "number" if field.kind == "number" else "text" }}" id="id_{{ field.name }}"
 name="{{ field.name }}" value="{{ values[field.name] }}"{% if field.required %} required{% endif %}>{% endif %}
<span class="help">{{ field.description }}</span></div>
{% endfor %}<button>Continue</button></form></body></html>
"""


def _form_field(prop: Property) -> Any:
    from django import forms

    common: dict[str, Any] = {"label": prop.title, "help_text": prop.description, "required": prop.required}
    if prop.enum:
        return forms.ChoiceField(choices=[(choice, choice) for choice in prop.enum], **common)
    if prop.kind == "boolean":
        return forms.BooleanField(**common)
    if prop.kind == "number":
        return forms.IntegerField(min_value=prop.raw["minimum"], max_value=prop.raw["maximum"], **common)
    return forms.CharField(min_length=prop.raw["minLength"], max_length=prop.raw["maxLength"], **common)


def pages() -> tuple[Callable[[], str], Callable[[], str]]:
    """Makes the page by ``django.forms``, and by a Jinja2 template."""
    import jinja2
    from django import forms
    from django.template import engines

    properties = samples.wizard_type().properties
    form_class = type("Inputs", (forms.Form,), {prop.name: _form_field(prop) for prop in properties})
    page = engines["django"].from_string(PAGE)
    hand = jinja2.Environment(autoescape=True).from_string(HAND)
    values = samples.WIZARD_INPUTS

    def by_forms() -> str:
        return str(page.render({"form": form_class(initial=values)}))

    def by_hand() -> str:
        return hand.render(fields=properties, values=values)

    return by_forms, by_hand
