"""What the fixed forms share: looks, and taking in the problems that an action found."""

from collections.abc import Iterable
from typing import Any

from django import forms

from portal.errors import Invalid, PortalError
from provisioning.problems import Problem

CSS = (
    (forms.CheckboxInput, "form-check-input"),
    (forms.RadioSelect, "form-check-input"),
    (forms.CheckboxSelectMultiple, "form-check-input"),
    (forms.Select, "form-select"),
)


def style(form: forms.BaseForm) -> None:
    """Give every control the classes of the style sheet."""
    for field in form.fields.values():
        widget = field.widget
        css = next((name for kind, name in CSS if isinstance(widget, kind)), "form-control")
        widget.attrs["class"] = f"{widget.attrs.get('class', '')} {css}".strip()


class Form(forms.Form):
    """A fixed form. Names of fields are the pointers of the actions' problems without the slash."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        style(self)

    def take(self, refusal: PortalError) -> None:
        """Show what an action refused beside the fields that it named; what names none stands above the form."""
        problems: Iterable[Problem] = refusal.problems if isinstance(refusal, Invalid) else ()
        problems = tuple(problems) or (Problem("", refusal.message),)
        for problem in problems:
            name = problem.path.strip("/").split("/")[0]
            self.add_error(name if name in self.fields else None, problem.message)
