"""The fixed forms of repositories."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.cache import cache

from portal import forges
from portal.actions import repositories
from portal.enums import RepositoryProvider
from portal.web.forms.base import Form

MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}
FOUND_SECONDS = 60  # for which a branch that was found is not asked for again


def missing_branch(provider: str, name: str, branch: str) -> str:
    """Why a branch cannot be used, "" when it can: a form that is checked field by field asks the forge once."""
    key = f"branch:{provider}:{name}:{branch}"
    if cache.get(key):
        return ""
    problem = repositories.check_branch(provider, name, branch)
    if not problem:
        cache.set(key, True, FOUND_SECONDS)
    return problem


class LinkForm(Form):
    provider = forms.ChoiceField(label="Provider")
    name = forms.CharField(
        label="Repository",
        max_length=100,
        widget=forms.TextInput(attrs=MONO),
        help_text="Owner and name. Example: acme/infrastructure",
    )
    connection_arn = forms.CharField(
        label="Connection ARN",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=MONO),
        help_text="Only if scripts for AWS Proton read it back: the portal uses its own credentials.",
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        ready = forges.forges().providers()
        names = [choice for choice in RepositoryProvider.choices if choice[0] in ready]
        local = forges.is_local(RepositoryProvider.GITHUB)
        self.fields["provider"].choices = [
            (value, "This machine" if local and value == RepositoryProvider.GITHUB else label)
            for value, label in names or RepositoryProvider.choices[:1]
        ]


class LocalRepositoryForm(Form):
    name = forms.CharField(
        label="Owner and name",
        max_length=100,
        widget=forms.TextInput(attrs=MONO),
        help_text="Example: acme/infrastructure",
    )
    readme = forms.CharField(
        label="README.md",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono"}),
        help_text="The first commit. Left empty: the repository's name.",
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, auto_id="new_%s", **kwargs)  # two forms are on one page


class PipelineRepositoryForm(Form):
    """``repository`` is "GITHUB:owner/repo", "" for none."""

    repository = forms.ChoiceField(label="Repository", required=False, help_text="One that is linked.")
    branch = forms.CharField(
        label="Branch", required=False, max_length=200, widget=forms.TextInput(attrs=MONO), help_text="Example: main"
    )

    def __init__(self, *args: Any, known: Mapping[str, str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["repository"].choices = [("", "None"), *known.items()]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        provider, _, name = found.get("repository", "").partition(":")
        if name and "branch" in found:
            found["branch"] = found["branch"] or "main"
            if problem := missing_branch(provider, name, found["branch"]):
                self.add_error("branch", problem)
        return found
