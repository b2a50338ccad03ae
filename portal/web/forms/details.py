"""The fixed questions of the wizards and the edit pages, drawn by the same field template as a schema's."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.conf import settings

from portal.actions.names import check_name
from portal.errors import Invalid
from portal.models import Environment, EnvironmentAccountConnection, Team, TemplateVersion, User
from portal.queries import accounts, connections, environments, repositories, services
from portal.queries.repositories import visible_to as linked
from portal.web.forms.repositories import missing_branch
from portal.web.forms.spec import Choice, Field, dom_id
from provisioning.problems import Problem


class Details(forms.Form):
    """Fields whose names in the page are pointers ("/name"); ``drawn`` gives them to the one field template."""

    def suggest(self, name: str, known: Mapping[str, str]) -> None:
        """Offer known values of a text field, {value: what to call it}; any other may be typed."""
        self.suggested = {**getattr(self, "suggested", {}), name: known}

    def add_prefix(self, field_name: str) -> str:
        return f"/{field_name}"

    def drawn(self, problems: Iterable[Problem] = ()) -> list[Field]:
        """All fields; ``problems`` are those that an action found beyond the form's own."""
        told = list(problems)
        return [self._drawn(name, told) for name in self.fields]

    def draw(self, path: str) -> list[Field]:
        """The one field of a pointer; [] where there is none."""
        name = path.removeprefix("/")
        return [self._drawn(name, ())] if name in self.fields else []

    def _drawn(self, name: str, told: Iterable[Problem]) -> Field:
        bound = self[name]
        value = bound.value()
        text = "" if value is None else str(value)
        choices: tuple[Choice, ...] = ()
        if isinstance(bound.field, forms.ChoiceField):
            choices = tuple(
                Choice(str(key), str(label), selected=str(key) == text) for key, label in bound.field.choices
            )
        known: Mapping[str, str] = getattr(self, "suggested", {}).get(name, {})
        if known:
            choices = tuple(Choice(value, label or value) for value, label in known.items())
            kind = "search"
        else:
            kind = self._kind(bound.field, choices)
        messages = self.errors.get(name, ()) if self.is_bound else ()
        own = [Problem(f"/{name}", str(message)) for message in messages]
        return Field(
            pointer=f"/{name}",
            id=dom_id(f"/{name}"),
            label=str(bound.label),
            kind=kind,
            help=str(bound.help_text),
            value=text,
            required=bound.field.required,
            choices=choices,
            attrs=(("spellcheck", "false"),) if kind == "text" else (),
            problems=tuple(dict.fromkeys((*own, *(problem for problem in told if problem.path == f"/{name}")))),
        )

    @staticmethod
    def _kind(field: forms.Field, choices: tuple[Choice, ...]) -> str:
        if choices:
            return "select"
        return "multiline" if isinstance(field.widget, forms.Textarea) else "text"

    def problems(self) -> list[Problem]:
        return [Problem(f"/{name}", str(text)) for name, texts in self.errors.items() for text in texts]

    def typed(self) -> dict[str, str]:
        """Everything as it was typed, right or wrong."""
        return {name: (self.data.get(f"/{name}") or "").strip() for name in self.fields if f"/{name}" in self.data}


def as_data(details: Mapping[str, Any]) -> dict[str, str]:
    """Kept details as the data of a bound form."""
    return {f"/{name}": str(value) for name, value in details.items()}


def _unique_name(name: str, what: str, taken: bool) -> str:
    try:
        check_name(name, what)
    except Invalid as wrong:
        raise forms.ValidationError([problem.message for problem in wrong.problems]) from None
    if taken:
        article = "An" if what == "environment" else "A"
        raise forms.ValidationError(f"{article} {what} named {name} exists already. Choose another name.")
    return name


def team_choices(teams: Iterable[Team], *, empty: str) -> list[tuple[str, str]]:
    return [("", empty), *((team.name, team.name) for team in teams)]


def own_team_choices(user: User) -> list[tuple[str, str]]:
    """The teams that a person may make a service for. A developer's service belongs to one of their teams, if any."""
    if user.is_platform:
        return team_choices(Team.objects.all(), empty="My own team, or none")
    mine = list(user.teams.all())
    return team_choices(mine, empty="")[1:] if mine else [("", "No team: only you and platform engineers")]


def version_choices(versions: Iterable[TemplateVersion]) -> list[tuple[str, str]]:
    """Numbers with why somebody would choose them or not."""
    return [(row.number, f"{row.number} ({why(row)})") for row in versions]


def why(version: TemplateVersion) -> str:
    """In a word or two, what a version of ``queries.templates.usable_versions`` is."""
    if getattr(version, "is_recommended", False):
        return "recommended"
    if not version.is_published:
        return "draft, not published"
    if version.minor == getattr(version, "recommended_minor_of_major", None):
        return f"newest of major {version.major}"
    return "older"


NAME_HELP = "Letters, digits, hyphens and underscores; up to 100. It cannot be changed later."
CODEBUILD_HELP = "Of the same account. Commands of bundles run in CodeBuild with it."
ARN_HELP = (
    "A role of this portal's own account to deploy with. Left empty: the portal's own credentials. "
    "Another account is entered by the roles of its connection."
)
CONNECTION_HELP = "To deploy into another account, which must have asked for it. The environment gets its name."


def _connection_choices(
    rows: Iterable[EnvironmentAccountConnection], names: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Keys with the environment's name and the account's."""
    return [
        (str(row.pk), f"{row.environment_name} in {row.environment_account_id}{_called(names, row)}") for row in rows
    ]


def _called(names: Mapping[str, str], row: EnvironmentAccountConnection) -> str:
    name = names.get(row.environment_account_id)
    return f" ({name})" if name else ""


COMPONENT_ROLE_HELP = (
    "A role of this portal's own account that components in it are deployed with; without one it takes none. "
    "Example: arn:aws:iam::123456789012:role/deuteron-components"
)


REPOSITORY_HELP = (
    "What is written in Terraform is delivered to it by pull request. Then leave the roles empty; "
    "it cannot be changed later."
)


class EnvironmentDetails(Details):
    name = forms.CharField(label="Environment name", help_text=NAME_HELP)
    version = forms.ChoiceField(label="Template version")
    description = forms.CharField(required=False, max_length=500, help_text="What it is for. Up to 500 characters.")
    team = forms.ChoiceField(label="Owner team", required=False, help_text="Who answers for it.")
    environment_account_connection_id = forms.ChoiceField(
        label="Account connection", required=False, help_text=CONNECTION_HELP
    )
    account_id = forms.CharField(
        label="AWS account",
        required=False,
        max_length=12,
        help_text="Twelve digits. Left empty: this portal's own account.",
    )
    proton_service_role_arn = forms.CharField(
        label="Provisioning role", required=False, max_length=200, help_text=ARN_HELP
    )
    codebuild_role_arn = forms.CharField(
        label="CodeBuild role", required=False, max_length=2048, help_text=CODEBUILD_HELP
    )
    component_role_arn = forms.CharField(
        label="Component role", required=False, max_length=2048, help_text=COMPONENT_ROLE_HELP
    )
    provisioning_repository = forms.ChoiceField(
        label="Provisioning repository", required=False, help_text=REPOSITORY_HELP
    )
    provisioning_branch = forms.CharField(
        label="Branch of it", required=False, max_length=200, help_text="Left empty: main."
    )

    def __init__(self, *args: Any, user: User, versions: Iterable[TemplateVersion], **kwargs: Any):
        super().__init__(*args, **kwargs)
        if settings.COMMAND_RUNNER == "local":
            del self.fields["codebuild_role_arn"]
        self.user = user
        self.fields["version"].choices = version_choices(versions)
        self.fields["team"].choices = team_choices(Team.objects.all(), empty="No team")
        known = repositories.branch_choices(user)
        self.fields["provisioning_repository"].choices = [("", "None"), *known.items()]
        if not known:
            for name in ("provisioning_repository", "provisioning_branch"):
                del self.fields[name]
        names = accounts.names()
        self.connections = {str(row.pk): row for row in connections.free(user)}
        own = f"No connection: this portal's own account, {settings.PORTAL_ACCOUNT_ID}"
        offered = _connection_choices(self.connections.values(), names)
        self.fields["environment_account_connection_id"].choices = [("", own), *offered]
        if not self.connections:
            del self.fields["environment_account_connection_id"]
        if settings.EMBEDDED:
            self.fields["account_id"].help_text = (
                f"Left empty: {settings.PORTAL_ACCOUNT_ID}, this portal's own account. The embedded AWS opens every "
                "account without a role; a real one needs a connection."
            )
            self.suggest("account_id", names)
        else:
            del self.fields["account_id"]
        self.suggest("proton_service_role_arn", accounts.roles())

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        return _unique_name(name, "environment", environments.visible_to(self.user).filter(name=name).exists())

    def clean_account_id(self) -> str:
        account = self.cleaned_data["account_id"]
        if account and not (account.isascii() and account.isdecimal() and len(account) == 12):
            raise forms.ValidationError("An AWS account id has 12 digits.")
        return str(account)

    def clean_provisioning_branch(self) -> str:
        branch: str = self.cleaned_data["provisioning_branch"]
        provider, _, name = self.cleaned_data.get("provisioning_repository", "").partition(":")
        if name and (problem := missing_branch(provider, name, branch or "main")):
            raise forms.ValidationError(problem)
        return branch

    def clean(self) -> dict[str, Any]:
        """What a connection goes with: the name that it was asked for, and no role or account beside it."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = self.connections.get(cleaned.get("environment_account_connection_id") or "")
        if chosen is None:
            return cleaned
        if cleaned.get("name") and cleaned["name"] != chosen.environment_name:
            wanted = f"This connection is for an environment named {chosen.environment_name}."
            self.add_error("environment_account_connection_id", f"{wanted} Name it so, or choose another.")
        for role in ("proton_service_role_arn", "component_role_arn"):
            if cleaned.get(role):
                self.add_error(role, "The roles come from the account connection: leave this empty.")
        if cleaned.get("account_id") not in (None, "", chosen.environment_account_id):
            self.add_error("account_id", f"The connection leads into account {chosen.environment_account_id}.")
        return cleaned


class ServiceDetails(Details):
    name = forms.CharField(label="Service name", help_text=NAME_HELP)
    version = forms.ChoiceField(label="Template version")
    description = forms.CharField(required=False, max_length=500, help_text="What it does. Up to 500 characters.")
    team = forms.ChoiceField(
        label="Owner team", required=False, help_text="Its members may change and delete the service."
    )
    repository_id = forms.CharField(
        label="Repository",
        required=False,
        max_length=200,
        help_text="Owner and name. Choose one that is linked, or type the one of a connection. Example: payments/api",
    )
    branch_name = forms.CharField(label="Branch", required=False, max_length=200, help_text="Example: main")
    repository_connection_arn = forms.CharField(
        label="Connection ARN",
        required=False,
        max_length=200,
        help_text="Of the CodeStar connection that the pipeline reads the repository with.",
    )

    def __init__(self, *args: Any, user: User, versions: Iterable[TemplateVersion], has_pipeline: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["version"].choices = version_choices(versions)
        self.fields["team"].choices = own_team_choices(user)
        self.suggest("repository_id", {row.name: row.get_provider_display() for row in linked(user)})
        if not has_pipeline:
            for name in ("repository_id", "branch_name", "repository_connection_arn"):
                del self.fields[name]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        return _unique_name(name, "service", services.visible_to(self.user).filter(name=name).exists())

    def clean_branch_name(self) -> str:
        """A branch of a linked repository must be there; of another one nobody here can ask."""
        branch: str = self.cleaned_data["branch_name"]
        row = linked(self.user).filter(name=self.cleaned_data.get("repository_id", "")).first()
        if row is not None and (problem := missing_branch(row.provider, row.name, branch or row.default_branch)):
            raise forms.ValidationError(problem)
        return branch


class EnvironmentEdit(Details):
    description = forms.CharField(required=False, max_length=500, help_text="What it is for. Up to 500 characters.")
    team = forms.ChoiceField(label="Owner team", required=False, help_text="Who answers for it.")
    proton_service_role_arn = forms.CharField(
        label="Provisioning role", required=False, max_length=200, help_text=ARN_HELP
    )
    codebuild_role_arn = forms.CharField(
        label="CodeBuild role", required=False, max_length=2048, help_text=CODEBUILD_HELP
    )
    component_role_arn = forms.CharField(
        label="Component role", required=False, max_length=2048, help_text=COMPONENT_ROLE_HELP
    )
    environment_account_connection_id = forms.ChoiceField(
        label="Account connection", required=False, help_text="Of the same account, for this environment's name."
    )

    def __init__(self, *args: Any, user: User, environment: Environment, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if settings.COMMAND_RUNNER == "local" or environment.connection is not None:
            del self.fields["codebuild_role_arn"]
        self.fields["team"].choices = team_choices(Team.objects.all(), empty="As it is")
        self.connections = {}
        if environment.connection is None:
            del self.fields["environment_account_connection_id"]
            self.suggest("proton_service_role_arn", accounts.roles())
            return
        del self.fields["proton_service_role_arn"]
        del self.fields["component_role_arn"]
        self.connections = {str(row.pk): row for row in connections.others_for(user, environment)}
        offered = [
            (key, f"requested {row.requested_at:%Y-%m-%d %H:%M}, role {row.role_arn or 'none'}")
            for key, row in self.connections.items()
        ]
        self.fields["environment_account_connection_id"].choices = [("", "As it is"), *offered]


class ServiceEdit(Details):
    description = forms.CharField(required=False, max_length=500, help_text="What it does. Up to 500 characters.")
    team = forms.ChoiceField(
        label="Owner team", required=False, help_text="Its members may change and delete the service."
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any):
        super().__init__(*args, **kwargs)
        mine = Team.objects.all() if user.is_platform else user.teams.all()
        self.fields["team"].choices = team_choices(mine, empty="As it is")
