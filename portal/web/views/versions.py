"""A template version: registering it, its page with schema, findings, files and changes, publishing, deleting."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from portal import access
from portal.actions import registrations
from portal.actions import templates as actions
from portal.enums import TemplateVersionStatus
from portal.errors import PortalError
from portal.models import Template, TemplateVersion
from portal.queries import templates as queries
from portal.web import schema_table
from portal.web.forms.templates import PublishForm, VersionEditForm, VersionForm
from portal.web.page import done, page, posted, wants_part
from portal.web.views.templates import address_of, visible_versions
from provisioning.bundle import Bundle
from provisioning.changes import diff_text
from provisioning.problems import Problem, errors

SHOWN_CHARACTERS = 300_000


def version_new(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    template = access.template(request.user, kind, name, write=True)
    form = VersionForm(posted(request), request.FILES if request.method == "POST" else None, template=template)
    problems: Sequence[Problem] = ()
    if request.method == "POST" and form.is_valid():
        try:
            made, problems = _register(request, template, form)
        except PortalError as refusal:
            form.take(refusal)
        else:
            if made is not None:
                message = f"Version {made.number} is being registered."
                return done(request, "version", kind, name, made.major, made.minor, message=message)
    failed = bool(form.errors or problems)
    context = {"form": form, "template": template, "problems": problems, "blocking": len(errors(problems))}
    return page(request, "templates/version_form.html", context, partial="outcome", status=422 if failed else 200)


def _register(
    request: HttpRequest, template: Template, form: VersionForm
) -> tuple[TemplateVersion | None, Sequence[Problem]]:
    """The new version, or every problem of an upload that was not good enough to make one."""
    fields = form.cleaned_data
    common: dict[str, Any] = {
        "by": request.user,
        "template": template,
        "major": form.major_number,
        "compatible": form.compatible_pairs,
    }
    sources = form.component_sources
    if fields["source"] == "s3":
        return registrations.register_version(
            **common, s3=fields["s3"], description=fields["description"], supported_component_sources=sources
        ), ()
    data = fields["file"].read()
    check = registrations.check_upload(**common, data=data)
    if not check.ok:
        return None, check.problems
    file_name = fields["file"].name[:200]
    return (
        registrations.register_version(
            **common,
            data=data,
            file_name=file_name,
            description=fields["description"],
            supported_component_sources=sources,
        ),
        (),
    )


@require_safe
def version(request: HttpRequest, kind: str, name: str, major: int, minor: int) -> HttpResponse:
    found = access.template_version(request.user, kind, name, major, minor)
    registering = found.status == TemplateVersionStatus.REGISTRATION_IN_PROGRESS
    if wants_part(request) and not registering:
        return HttpResponseClientRefresh()
    context: dict[str, Any] = {
        "template": found.template,
        "version": found,
        "registering": registering,
        "recommended": queries.recommended(found.template) if found.is_usable else None,
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
        "findings": sorted(
            queries.lint_findings(found),
            key=lambda one: (one.get("severity") != "error", one.get("file", ""), one.get("line") or 0),
        ),
        "show": request.GET.get("show", ""),
    }
    if context["show"] == "files" and found.bundle_id:
        context |= _files(queries.bundle_of(found), request.GET.get("file", ""))
    elif context["show"] == "changes" and found.bundle_id:
        context |= _changes(request, found, request.GET.get("against", ""))
    else:
        context["show"] = ""
        if found.is_usable:
            context["schema"] = schema_table.parts(queries.schema_of(found))
            context["commands"] = [
                (part.name, part.manifest.main.settings)
                for part in queries.bundle_of(found).parts.values()
                if part.manifest.engine == "codebuild"
            ]
        context["users"] = [(user, address_of(user)) for user in queries.users_of(found)]
    return page(request, "templates/version.html", context, partial="registration")


def _text(content: bytes) -> str | None:
    """A file's text, or None for one that is not text or is too long to be shown."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or len(text) > SHOWN_CHARACTERS else text


def _files(bundle: Bundle, wanted: str) -> dict[str, Any]:
    names = sorted(bundle.files, key=lambda name: (not name.startswith("schema"), name))
    chosen = wanted if wanted in bundle.files else (names[0] if names else "")
    return {
        "files": [(name, len(bundle.files[name])) for name in names],
        "chosen": chosen,
        "text": _text(bundle.files[chosen]) if chosen else None,
    }


def _changes(request: HttpRequest, found: TemplateVersion, against: str) -> dict[str, Any]:
    """The difference in the bundle's files to an older version: the one before, unless another is chosen."""
    here = (found.major, found.minor)
    older = [
        row
        for row in visible_versions(request, found.template)
        if row.bundle_id and row.is_usable and (row.major, row.minor) < here
    ]
    other = next((row for row in older if row.number == against), older[0] if older else None)
    if other is None:
        return {"older": [], "other": None, "diffs": []}
    before, after = queries.bundle_of(other).files, queries.bundle_of(found).files
    diffs = []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        old, new = _text(before.get(name, b"")), _text(after.get(name, b""))
        what = "added" if name not in before else "removed" if name not in after else "changed"
        diffs.append((name, what, diff_text(old, new) if old is not None and new is not None else None))
    return {"older": older, "other": other, "diffs": diffs}


def version_edit(request: HttpRequest, kind: str, name: str, major: int, minor: int) -> HttpResponse:
    found = access.template_version(request.user, kind, name, major, minor, write=True)
    form = VersionEditForm(posted(request), version=found)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_version(
                by=request.user,
                version=found,
                description=form.cleaned_data["description"],
                compatible=form.compatible_pairs if "compatible" in form.fields else None,
                supported_component_sources=form.component_sources if "compatible" in form.fields else None,
            )
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "version", kind, name, major, minor, message="Saved.")
    context = {"form": form, "template": found.template, "version": found}
    return page(request, "templates/version_edit.html", context, status=422 if form.errors else 200)


def version_publish(request: HttpRequest, kind: str, name: str, major: int, minor: int) -> HttpResponse:
    found = access.template_version(request.user, kind, name, major, minor, write=True)
    form = PublishForm(posted(request), version=found)
    if request.method == "POST" and form.is_valid():
        try:
            actions.publish_version(
                by=request.user, version=found, reason=form.cleaned_data.get("reason", ""), require_reason=True
            )
        except PortalError as refusal:
            form.take(refusal)
        else:
            message = f"{found} is published." if found.is_published else f"{found} is published once it is registered."
            return done(request, "version", kind, name, major, minor, message=message)
    context = {
        "form": form,
        "template": found.template,
        "version": found,
        "findings": queries.lint_findings(found),
        "recommended": queries.recommended(found.template),
    }
    return page(request, "templates/publish.html", context, status=422 if form.errors else 200)


def version_delete(request: HttpRequest, kind: str, name: str, major: int, minor: int) -> HttpResponse:
    found = access.template_version(request.user, kind, name, major, minor, write=True)
    if request.method == "POST":
        actions.delete_version(by=request.user, version=found)
        return done(request, "template", kind, name, message=f"Version {found.number} is deleted.")
    context = {"template": found.template, "version": found, "reasons": actions.blockers_of_deletion(found)}
    return page(request, "templates/version_delete.html", context)


def version_trust(request: HttpRequest, kind: str, name: str, major: int, minor: int) -> HttpResponse:
    found = access.template_version(request.user, kind, name, major, minor, write=True)
    if request.method == "POST":
        trusts = request.POST.get("trusts") == "yes"
        actions.update_version(by=request.user, version=found, trusts_inputs=trusts)
        message = "Inputs of this version are trusted now." if trusts else "Inputs are guarded again."
        return done(request, "version", kind, name, major, minor, message=message)
    return page(request, "templates/trust.html", {"template": found.template, "version": found})
