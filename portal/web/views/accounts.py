"""AWS accounts: their names, and what runs in each."""

from django.http import HttpRequest, HttpResponse

from portal import access
from portal.actions import accounts as actions
from portal.enums import Role
from portal.errors import NotFound, PortalError
from portal.queries import accounts as queries
from portal.queries import usage
from portal.queries.usage import UsageFilters
from portal.web.forms.people import AccountForm, NewAccountForm
from portal.web.page import done, page, posted


def accounts(request: HttpRequest) -> HttpResponse:
    form = NewAccountForm(posted(request))
    if request.method == "POST":
        access.require(request.user, Role.PLATFORM)
    if request.method == "POST" and form.is_valid():
        try:
            named = actions.name_account(by=request.user, **form.cleaned_data)
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "accounts", message=f"Account {named} is named.")
    context = {
        "accounts": queries.uses(usage.rows(request.user, UsageFilters())),
        "form": form,
        "ask": "" if request.user.is_platform else "a platform engineer",
    }
    return page(request, "accounts/list.html", context, status=422 if form.errors else 200)


def account_edit(request: HttpRequest, account_id: str) -> HttpResponse:
    access.require(request.user, Role.PLATFORM)
    names = queries.names()
    if account_id not in names:
        raise NotFound(f"account {account_id} is not known here")
    form = AccountForm(posted(request), initial={"name": names[account_id]})
    if request.method == "POST" and form.is_valid():
        try:
            actions.name_account(by=request.user, account_id=account_id, name=form.cleaned_data["name"])
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "accounts", message="Saved.")
    context = {"form": form, "account_id": account_id}
    return page(request, "accounts/form.html", context, status=422 if form.errors else 200)
