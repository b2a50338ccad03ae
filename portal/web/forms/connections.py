"""The fixed forms of account connections."""

from typing import Any

from django import forms

from portal.web.forms.base import Form

ROLE = forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"})
EXAMPLE = "arn:aws:iam::210987654321:role/deuteron"


def _role(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=2048,
        widget=forms.TextInput(attrs={**ROLE.attrs, "placeholder": EXAMPLE}),
        help_text=help_text,
    )


class ConnectionRolesForm(Form):
    role_arn = _role("Role", "Deploys the environment and the instances in it. It may be made after the request.")
    component_role_arn = _role("Component role", "Deploys components. Without it there are none in the environment.")
    codebuild_role_arn = _role("CodeBuild role", "Given to CodeBuild for templates that are provisioned with it.")


class ChangedRolesForm(ConnectionRolesForm):
    """Of a connection that is in force: an admin may change its roles whatever the test finds."""

    reason = forms.CharField(
        label="Reason to change them although the test does not pass",
        required=False,
        max_length=500,
        help_text="Kept in the audit log.",
    )

    def __init__(self, *args: Any, may_override: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not may_override:
            del self.fields["reason"]


class NewConnectionForm(ConnectionRolesForm):
    environment_account_id = forms.CharField(
        label="Environment account",
        max_length=12,
        widget=forms.TextInput(attrs={"class": "mono", "inputmode": "numeric", "autocomplete": "off"}),
        help_text="Twelve digits: the account to deploy into. You ask on its behalf.",
    )
    environment_name = forms.CharField(
        label="Environment name",
        max_length=100,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="The environment must be created with exactly this name.",
    )
    field_order = ("environment_account_id", "environment_name", "role_arn", "component_role_arn", "codebuild_role_arn")


class AcceptForm(Form):
    reason = forms.CharField(
        label="Reason to accept although the test does not pass",
        required=False,
        max_length=500,
        help_text="Kept with the connection and in the audit log. Left empty, only a passed test is accepted.",
    )

    def __init__(self, *args: Any, may_override: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not may_override:
            self.fields["reason"].widget = forms.HiddenInput()
