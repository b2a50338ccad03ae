"""The fixed forms of templates and their versions."""

import re
from typing import Any

from django import forms

from portal.enums import ComponentSource, Provisioning, TemplateKind
from portal.models import Template, TemplateVersion
from portal.queries.templates import USABLE
from portal.web.forms.base import Form

S3_ADDRESS = re.compile(r"s3://([^/\s]+)/(\S.*)")


class TemplateForm(Form):
    display_name = forms.CharField(
        label="Display name", required=False, max_length=100, help_text="Shown instead of the name."
    )
    description = forms.CharField(
        label="Description",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What it gives, in words that a developer understands. At most 500 characters.",
    )


class NewTemplateForm(TemplateForm):
    kind = forms.ChoiceField(
        label="Kind",
        choices=[
            (TemplateKind.ENVIRONMENT.value, "Environment template: shared infrastructure that services run in"),
            (TemplateKind.SERVICE.value, "Service template: what an application needs, once for each environment"),
        ],
        widget=forms.RadioSelect,
        initial=TemplateKind.ENVIRONMENT.value,
    )
    name = forms.CharField(
        label="Name",
        max_length=100,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Letters, digits, hyphens and underscores. It cannot be changed later.",
    )
    customer_managed = forms.BooleanField(
        label="Customer managed",
        required=False,
        help_text="An environment template of existing infrastructure: its bundle has a schema only, and what people "
        "type are its outputs. A service template whose pipeline you run yourself. Cannot be changed later.",
    )
    field_order = ("kind", "name", "display_name", "description", "customer_managed")

    @property
    def provisioning(self) -> str:
        return str(Provisioning.CUSTOMER_MANAGED.value) if self.cleaned_data["customer_managed"] else ""


def compatible_choices() -> list[tuple[str, str]]:
    """("vpc:1", "vpc, major version 1") for every major of every environment template that has a usable version."""
    rows = (
        TemplateVersion.objects.filter(template__kind=TemplateKind.ENVIRONMENT, status__in=USABLE)
        .order_by("template__name", "-major")
        .values_list("template__name", "major")
        .distinct()
    )
    return [(f"{name}:{major}", f"{name}, major version {major}") for name, major in rows]


def _pairs(values: list[str]) -> list[tuple[str, int]]:
    return [(name, int(major)) for name, _, major in (value.rpartition(":") for value in values)]


class CompatibleMixin(forms.Form):
    """The list of environment templates that a service template version's instances may run in."""

    def offer(self, template: Template) -> None:
        if template.kind != TemplateKind.SERVICE:
            del self.fields["compatible"], self.fields["takes_components"]
            return
        self.fields["compatible"].choices = compatible_choices()  # type: ignore[attr-defined]

    @property
    def compatible_pairs(self) -> list[tuple[str, int]]:
        return _pairs(self.cleaned_data.get("compatible", []))

    @property
    def component_sources(self) -> list[str]:
        return [str(ComponentSource.DIRECTLY_DEFINED)] if self.cleaned_data.get("takes_components") else []


def _compatible_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label="Compatible environment templates",
        widget=forms.CheckboxSelectMultiple,
        help_text="Its instances can be created only in environments of these templates.",
        error_messages={"required": "Choose one to ten environment templates that its instances may run in."},
    )


def _components_field() -> forms.BooleanField:
    return forms.BooleanField(
        label="Components may attach to its instances",
        required=False,
        help_text="For templates that read service_instance.components.default.outputs.",
    )


class VersionForm(Form, CompatibleMixin):
    """A bundle from a file or from S3, and the number it gets."""

    source = forms.ChoiceField(
        label="Where the bundle is",
        choices=[("upload", "A file on this computer"), ("s3", "An object in S3")],
        widget=forms.RadioSelect,
        initial="upload",
    )
    file = forms.FileField(
        label="Archive",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".tar.gz,.tgz,.zip,application/gzip,application/zip"}),
        help_text="A .tar.gz or .zip with the schema, the manifest and the infrastructure code. At most 10 MB.",
    )
    address = forms.CharField(
        label="S3 address",
        required=False,
        widget=forms.TextInput(
            attrs={"class": "mono", "placeholder": "s3://bucket/path/bundle.tar.gz", "spellcheck": "false"}
        ),
        help_text="A worker fetches it with the portal's own credentials.",
    )
    major = forms.ChoiceField(
        label="Version",
        help_text="A minor version accepts every spec that its major accepted so far. Anything else is a new major.",
    )
    description = forms.CharField(
        label="Release notes",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What changed, for the people who will update. At most 500 characters.",
    )
    compatible = _compatible_field()
    takes_components = _components_field()

    def __init__(self, *args: Any, template: Template, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in ("file", "address"):
            self.fields[name].needed = True  # type: ignore[attr-defined]  # whichever the source names: see clean
        majors = list(template.majors.order_by("-major"))
        new = (majors[0].major if majors else 0) + 1
        choices = [(str(row.major), f"{row.major}.{row.next_minor}: next minor of major {row.major}") for row in majors]
        self.fields["major"].choices = [*choices, ("new", f"{new}.0: a new major version")]  # type: ignore[attr-defined]
        if majors:
            self.fields["major"].initial = str(majors[0].major)
        self.offer(template)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("source") == "upload" and not cleaned.get("file") and "file" not in self.errors:
            self.add_error("file", "Choose the archive to upload.")
        if cleaned.get("source") == "s3":
            found = S3_ADDRESS.fullmatch(cleaned.get("address", "").strip())
            if found:
                cleaned["s3"] = (found[1], found[2])
            else:
                self.add_error("address", "Give the whole address, such as s3://bucket/path/bundle.tar.gz.")
        return cleaned

    @property
    def major_number(self) -> int | None:
        return None if self.cleaned_data["major"] == "new" else int(self.cleaned_data["major"])


class VersionEditForm(Form, CompatibleMixin):
    description = forms.CharField(
        label="Release notes", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
    compatible = _compatible_field()
    takes_components = _components_field()

    def __init__(self, *args: Any, version: TemplateVersion, **kwargs: Any):
        initial = {
            "description": version.description,
            "compatible": [str(row) for row in version.compatible_environments.all()],
            "takes_components": ComponentSource.DIRECTLY_DEFINED in version.supported_component_sources,
        }
        super().__init__(*args, initial=initial, **kwargs)
        self.offer(version.template)


class PublishForm(Form):
    """A reason is asked for where the version has lint errors, and not asked for otherwise."""

    reason = forms.CharField(
        label="Why it is published all the same",
        max_length=500,
        error_messages={"required": "Say why this version is published over its errors."},
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept with the version and in the audit log.",
    )

    def __init__(self, *args: Any, version: TemplateVersion, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not version.lint_errors:
            del self.fields["reason"]
