"""The fixed forms of components."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict

from portal.errors import Invalid, PortalError
from portal.models import Component, Environment, ServiceInstance
from portal.web.forms.base import Form
from portal.web.forms.details import NAME_HELP
from provisioning.components import MANIFEST, MAX_TEMPLATE
from provisioning.problems import Problem

UPLOADS = {"manifest_upload": "manifest", "template_upload": "template_file"}
MAX_UPLOAD = 4 * MAX_TEMPLATE  # bytes of that many characters at most
KEEP, DETACH = "", "detach"


def _code(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "class": "mono", "spellcheck": "false", "wrap": "off"})


class _Text(forms.CharField):
    """A file's text, with line ends as files have them and not as browsers send them."""

    def __init__(self, *, rows: int, **kwargs: Any):
        super().__init__(strip=False, widget=_code(rows), **kwargs)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


def _upload(label: str) -> forms.FileField:
    return forms.FileField(
        label=label,
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".yaml,.yml,.json,.template,text/plain"}),
        help_text="Its text takes the place of the one above.",
    )


def _read(upload: UploadedFile) -> str | None:
    """The text of a small file, or None."""
    if upload.size is None or upload.size > MAX_UPLOAD:
        return None
    try:
        return str(upload.read().decode())
    except UnicodeDecodeError:
        return None


class _Uploads(Form):
    """A form whose uploads fill its texts, so that what was uploaded is there again when something else is wrong."""

    def __init__(
        self, data: QueryDict | None = None, files: Mapping[str, UploadedFile] | None = None, *args: Any, **kwargs: Any
    ):
        self.unreadable: list[str] = []
        if data is not None and files:
            data = data.copy()
            for name, text_name in UPLOADS.items():
                if name in files:
                    text = _read(files[name])
                    if text is None:
                        self.unreadable.append(name)
                    else:
                        data[text_name] = text
        super().__init__(data, None, *args, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in self.unreadable:
            self.add_error(name, "This is no text file of a template's size.")
        return cleaned

    def take(self, refusal: PortalError) -> None:
        problems = refusal.problems if isinstance(refusal, Invalid) else ()
        lined = [Problem(one.path, f"Line {one.line}: {one.message}") if one.line else one for one in problems]
        super().take(Invalid(refusal.message, lined) if lined else refusal)


SPEC_HELP = (
    "A ServiceSpec with an entry of the instance: the template reads its inputs. Left empty, it reads those that the "
    "instance runs with."
)


class ComponentForm(_Uploads):
    """Where it goes, and its two files. Problems of the actions are named like these fields."""

    name = forms.CharField(
        label="Name",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text=NAME_HELP,
    )
    description = forms.CharField(
        label="Description", required=False, help_text="What it is for. Up to 500 characters."
    )
    place = forms.ChoiceField(
        label="Where it goes",
        choices=[("instance", "Attached to a service instance"), ("environment", "On its own in an environment")],
        widget=forms.RadioSelect,
        initial="instance",
    )
    instance_name = forms.ChoiceField(
        label="Service instance",
        required=False,
        help_text="It can read the component's outputs. Listed are those that take one and have none.",
    )
    environment_name = forms.ChoiceField(
        label="Environment", required=False, help_text="Listed are those that have a component role."
    )
    manifest = _Text(
        label="Manifest", rows=6, required=False, initial=MANIFEST, help_text="Names the engine and the one file."
    )
    manifest_upload = _upload("Manifest from a file")
    template_file = _Text(
        label="Template file",
        rows=18,
        required=False,
        help_text="CloudFormation with Jinja: component.name, environment.name and environment.outputs; attached also "
        "service.name, service_instance.name and service_instance.inputs.",
    )
    template_upload = _upload("Template from a file")
    service_spec = _Text(label="Service spec", rows=8, required=False, help_text=SPEC_HELP)
    field_order = ("name", "description", "place")

    def __init__(
        self,
        *args: Any,
        instances: Iterable[ServiceInstance],
        environments: Iterable[Environment],
        alone: bool,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        for name in ("instance_name", "environment_name", "manifest", "template_file"):
            self.fields[name].needed = True  # type: ignore[attr-defined]
        places = [(str(row), f"{row} in {row.environment.name}") for row in instances]
        self.fields["instance_name"].choices = [("", "Choose an instance"), *places]  # type: ignore[attr-defined]
        names = [(row.name, row.name) for row in environments]
        self.fields["environment_name"].choices = [("", "Choose an environment"), *names]  # type: ignore[attr-defined]
        if not alone:
            del self.fields["place"], self.fields["environment_name"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        field = f"{cleaned.get('place', 'instance')}_name"
        if not cleaned.get(field) and field not in self.errors:
            self.add_error(field, f"Choose {'a service instance' if field == 'instance_name' else 'an environment'}.")
        return cleaned

    @property
    def members(self) -> dict[str, Any]:
        """What the action is called with."""
        cleaned = self.cleaned_data
        names = ("name", "description", "manifest", "template_file")
        found = {name: cleaned[name] for name in names}
        if cleaned.get("place") == "environment":
            return {**found, "environment_name": cleaned["environment_name"]}
        service, _, instance = cleaned["instance_name"].partition("/")
        return {**found, "service_name": service, "instance_name": instance, "service_spec": cleaned["service_spec"]}


class ComponentUpdateForm(_Uploads):
    """Another template file, another spec, attached or detached: one deployment."""

    instance_name = forms.ChoiceField(label="Attachment", required=False)
    template_file = _Text(label="Template file", rows=18, required=False)
    template_upload = _upload("Template from a file")
    service_spec = _Text(label="Service spec", rows=8, required=False, help_text=SPEC_HELP)

    def __init__(self, *args: Any, component: Component, instances: Iterable[ServiceInstance], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.component = component
        self.fields["template_file"].needed = True  # type: ignore[attr-defined]
        field: Any = self.fields["instance_name"]
        if component.instance is not None:
            field.choices = [(KEEP, f"Stay attached to {component.instance}"), (DETACH, "Detach")]
            field.help_text = "To attach it to another instance, detach it first."
        else:
            field.choices = [(KEEP, "Stay on its own"), *((str(row), f"Attach to {row}") for row in instances)]
            field.help_text = "Listed are the instances of its environment that take a component and have none."

    @property
    def members(self) -> dict[str, Any]:
        """What the action is called with; None leaves a member as it is."""
        cleaned = self.cleaned_data
        chosen = cleaned["instance_name"]
        service, _, instance = chosen.partition("/")
        names: tuple[str | None, str | None] = (service, instance)
        if chosen in (KEEP, DETACH):
            names = (None, None) if chosen == KEEP else ("", "")
        attached = bool(instance) or (chosen == KEEP and self.component.instance is not None)
        return {
            "service_name": names[0],
            "instance_name": names[1],
            "template_file": cleaned["template_file"],
            "service_spec": cleaned["service_spec"] if attached or cleaned["service_spec"].strip() else None,
        }


class ComponentEditForm(Form):
    description = forms.CharField(
        label="Description", required=False, help_text="What it is for. Up to 500 characters."
    )


class ComponentRightsForm(Form):
    developers_use_components = forms.BooleanField(
        label="Developers may use components",
        required=False,
        help_text="On services of their teams. They write CloudFormation themselves, which is deployed with the "
        "component role of the environment: whatever that role may, they may.",
    )
