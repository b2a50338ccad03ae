"""The fixed forms of people, teams, accounts and settings."""

from collections.abc import Mapping
from typing import Any

from django import forms

from portal.enums import Role
from portal.models import Team
from portal.web.forms.base import Form

ROLE_HELP = (
    "Each contains the next. Admin: templates, people, settings. Platform engineer: environments and everybody's "
    "services. Developer: services of their teams. Viewer: reads."
)


class _TeamsField(forms.ModelMultipleChoiceField):
    def __init__(self) -> None:
        super().__init__(
            Team.objects.all(), required=False, widget=forms.CheckboxSelectMultiple, to_field_name="name", label="Teams"
        )


class NewPersonForm(Form):
    username = forms.CharField(
        label="User name", max_length=100, widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"})
    )
    email = forms.EmailField(label="E-mail", required=False)
    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=True),
        help_text="At least 8 characters, and not one that everybody uses.",
    )
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.DEVELOPER.value, help_text=ROLE_HELP)
    teams = _TeamsField()


class PasswordForm(Form):
    old = forms.CharField(
        label="Password now", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    new = forms.CharField(
        label="New password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 8 characters, and not one that everybody uses.",
    )
    again = forms.CharField(
        label="New password again", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("new", again):
            raise forms.ValidationError("The two new passwords differ.")
        return again


class KeyForm(Form):
    account_id = forms.ChoiceField(
        label="AWS account",
        required=False,
        help_text="The account that calls with this key come from: the management account, or that of an environment.",
    )

    def __init__(self, *args: Any, accounts: Mapping[str, str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["account_id"].choices = [
            (account_id, f"{name} ({account_id})" if name else account_id) for account_id, name in accounts.items()
        ]


class PersonForm(Form):
    role = forms.ChoiceField(label="Role", choices=Role.choices, help_text=ROLE_HELP)
    teams = _TeamsField()
    is_active = forms.BooleanField(
        label="May sign in", required=False, help_text="Without it the person is shut out, access keys included."
    )


class TeamForm(Form):
    description = forms.CharField(label="Description", required=False, max_length=500)


class NewTeamForm(TeamForm):
    name = forms.CharField(
        label="Name",
        max_length=100,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
        help_text="Lower-case letters, digits and hyphens. It cannot be changed later.",
    )
    field_order = ("name", "description")


class AccountForm(Form):
    name = forms.CharField(label="Name", required=False, max_length=100, help_text="Such as “production”.")


class NewAccountForm(AccountForm):
    account_id = forms.CharField(
        label="Account id",
        max_length=12,
        widget=forms.TextInput(attrs={"class": "mono", "inputmode": "numeric", "autocomplete": "off"}),
    )
    field_order = ("account_id", "name")


class RolesForm(Form):
    pipeline_service_role_arn = forms.CharField(
        label="Pipeline service role",
        required=False,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "arn:aws:iam::123456789012:role/pipelines"}),
        help_text="Assumed to provision the CloudFormation pipelines of services. Empty: the portal's own role.",
    )
    pipeline_codebuild_role_arn = forms.CharField(
        label="Pipeline CodeBuild role",
        required=False,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "arn:aws:iam::123456789012:role/codebuild"}),
        help_text="Passed to CodeBuild for pipelines that are provisioned with it.",
    )
