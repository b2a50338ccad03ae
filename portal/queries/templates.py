"""Reading templates and their versions."""

from functools import lru_cache
from typing import Any

from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, When

from portal import arns
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import Invalid, NotFound
from portal.models import Bundle as BundleRow
from portal.models import (
    Deployment,
    Environment,
    ServiceInstance,
    ServicePipeline,
    Template,
    TemplateVersion,
    User,
)
from portal.queries.counting import counted
from provisioning.bundle import Bundle, Kind
from provisioning.problems import Problem
from provisioning.schema import Schema

USABLE = (TemplateVersionStatus.DRAFT, TemplateVersionStatus.PUBLISHED)


def may_use_drafts(user: User) -> bool:
    """Draft versions are for those who publish and those who run environments."""
    return user.at_least(Role.PLATFORM)


def _published(template: Any) -> QuerySet[TemplateVersion]:
    return TemplateVersion.objects.filter(template=template, status=TemplateVersionStatus.PUBLISHED).order_by(
        "-major", "-minor"
    )


def with_recommended(rows: QuerySet[Template]) -> QuerySet[Template]:
    """Adds ``recommended_major`` and ``recommended_minor``: the highest published major and minor, or None.

    AWS Proton has no call to set it; it moves when a version is published.
    """
    best = _published(OuterRef("pk"))
    return rows.annotate(
        recommended_major=Subquery(best.values("major")[:1]), recommended_minor=Subquery(best.values("minor")[:1])
    )


def catalogue(user: User, *, search: str = "", kind: str = "") -> QuerySet[Template]:
    """Templates with their recommended version, how many environments or instances use them, and their drafts."""
    rows = with_recommended(Template.objects.all())
    if kind:
        rows = rows.filter(kind=kind)
    for word in search.split():
        rows = rows.filter(Q(name__icontains=word) | Q(display_name__icontains=word) | Q(description__icontains=word))
    in_services = ServiceInstance.objects.filter(service__template=OuterRef("pk"))
    versions = TemplateVersion.objects.filter(template=OuterRef("pk"))
    return rows.annotate(
        used_by=counted(Environment.objects.filter(template=OuterRef("pk"))) + counted(in_services),
        draft_count=counted(versions.filter(status=TemplateVersionStatus.DRAFT)),
        version_count=counted(versions),
    ).order_by("name", "kind")


def recommended(template: Template) -> TemplateVersion | None:
    """The highest published version, or None."""
    return _published(template).first()


def recommended_minor(template: Template, major: int) -> TemplateVersion | None:
    """The highest published minor of one major, or None."""
    return _published(template).filter(major=major).first()


def published(template: Template) -> list[TemplateVersion]:
    """Every published version, the highest first."""
    return list(_published(template))


def versions(user: User, template: Template) -> list[TemplateVersion]:
    """Newest first. Each has ``is_recommended``, ``recommended_minor_of_major`` and ``used_by``."""
    rows = list(
        template.versions.select_related("registered_by")
        .prefetch_related("compatible_environments")
        .annotate(
            in_environments=counted(Environment.objects.filter(version=OuterRef("pk"))),
            in_instances=counted(ServiceInstance.objects.filter(version=OuterRef("pk"))),
            in_pipelines=counted(ServicePipeline.objects.filter(version=OuterRef("pk"))),
        )
        .order_by("-major", "-minor")
    )
    best: dict[int, int] = {}
    for row in rows:
        if row.is_published:
            best.setdefault(row.major, row.minor)
    overall = max(best.items(), default=None)
    for row in rows:
        row.template = template
        row.is_recommended = (row.major, row.minor) == overall
        row.recommended_minor_of_major = best.get(row.major)
        row.used_by = row.in_environments + row.in_instances + row.in_pipelines
    return rows


def usable_versions(user: User, template: Template) -> list[TemplateVersion]:
    """What a wizard may offer: the recommended version first, then published ones, then drafts if this person may."""
    rows = [row for row in versions(user, template) if row.is_published or (row.is_usable and may_use_drafts(user))]
    return sorted(rows, key=lambda row: (not row.is_recommended, not row.is_published, -row.major, -row.minor))


def users_of(version: TemplateVersion) -> list[Environment | ServiceInstance | ServicePipeline]:
    """What runs this version now."""
    return [
        *Environment.objects.filter(version=version).select_related("latest", "team"),
        *ServiceInstance.objects.filter(version=version).select_related("service__team", "environment", "latest"),
        *ServicePipeline.objects.filter(version=version).select_related("service__team", "latest"),
    ]


def users_by_version(template: Template) -> dict[int, list[Environment | ServiceInstance | ServicePipeline]]:
    """What runs any version of the template, by the version's primary key. Three queries."""
    found: dict[int, list[Environment | ServiceInstance | ServicePipeline]] = {}
    running = (
        *Environment.objects.filter(version__template=template),
        *ServiceInstance.objects.filter(version__template=template).select_related("service"),
        *ServicePipeline.objects.filter(version__template=template).select_related("service"),
    )
    for user in running:
        found.setdefault(user.version_id, []).append(user)
    return found


def kind_of(template: Template) -> Kind:
    return "environment" if template.kind == TemplateKind.ENVIRONMENT else "service"


@lru_cache(maxsize=64)
def _unpacked(digest: str, kind: Kind, customer_managed: bool) -> Bundle:
    """Content never changes under its digest, so what was read once stays read."""
    content = BundleRow.objects.values_list("content", flat=True).get(pk=digest)
    return Bundle.unpack(bytes(content), kind, customer_managed=customer_managed)


def bundle_of(version: TemplateVersion) -> Bundle:
    """The version's bundle. Raises NotFound while there is none (registration failed)."""
    if version.bundle_id is None:
        raise NotFound(f"{version} has no bundle: its registration did not succeed")
    return _unpacked(version.bundle_id, kind_of(version.template), version.template.customer_managed)


def schema_of_bundle(digest: str, kind: Kind, *, customer_managed: bool) -> Schema:
    """Of a bundle whose version may be gone."""
    return _unpacked(digest, kind, customer_managed).schema


def bundle_of_deployment(deployment: Deployment) -> Bundle:
    """The bundle that a deployment runs, also when its version was deleted since. Raises NotFound without one."""
    if deployment.bundle_id is None:
        raise NotFound(f"the bundle of deployment {deployment.pk} is gone")
    kind: Kind = "service" if deployment.service_name else "environment"
    managed = deployment.version is not None and deployment.version.template.customer_managed
    return _unpacked(deployment.bundle_id, kind, managed)


def schema_of(version: TemplateVersion) -> Schema:
    return bundle_of(version).schema


def lint_findings(version: TemplateVersion) -> list[dict[str, Any]]:
    """What checks and cfn-lint found at registration: dicts of path, message, line, severity, file, code."""
    return list(version.problems)


def require_usable(user: User, version: TemplateVersion) -> None:
    """Raises NotFound for a draft that this person may not use, Invalid for a version that did not register well."""
    resolve(user, version.template, version.major, version.minor)


def resolve(user: User, template: Template, major: int, minor: int | None) -> TemplateVersion:
    """The version that a request names. Without a minor: the recommended one of the major; where the major has nothing
    published, the newest draft for somebody who may use drafts. Raises NotFound, or Invalid when it is not usable."""
    rows = template.versions.select_related("template").filter(major=major)
    if minor is None:
        found = rows.filter(status=TemplateVersionStatus.PUBLISHED).order_by("-minor").first()
        if found is None and may_use_drafts(user):
            found = rows.filter(status=TemplateVersionStatus.DRAFT).order_by("-minor").first()
        if found is None:
            if not rows.exists():
                raise NotFound(f"template {template.name} has no major version {major}")
            raise Invalid(
                f"template {template.name} has no published version in major {major}",
                [Problem("/version", f"Major version {major} has nothing published yet: ask an admin to publish one.")],
            )
        return found
    found = rows.filter(minor=minor).first()
    if found is None or (found.status == TemplateVersionStatus.DRAFT and not may_use_drafts(user)):
        raise NotFound(f"template {template.name} has no version {major}.{minor}")
    if not found.is_usable:
        raise Invalid(
            f"{found} cannot be used: {found.get_status_display().lower()}",
            [Problem("/version", f"Version {found.number} cannot be used: {found.get_status_display().lower()}.")],
        )
    return found


def with_recommended_minor(rows: QuerySet[TemplateVersion]) -> QuerySet[TemplateVersion]:
    """Adds ``best_minor``: the highest published minor of the row's major, or None. Also what the wire shows of it."""
    best = _published(OuterRef("template")).filter(major=OuterRef("major"))
    return (
        rows.annotate(best_minor=Subquery(best.values("minor")[:1]))
        .select_related("template")
        .prefetch_related("compatible_environments")
    )


def versions_visible_to(user: User, template: Template) -> QuerySet[TemplateVersion]:
    """Published versions; every registered one for those who may use drafts."""
    rows = TemplateVersion.objects.filter(template=template)
    return rows if may_use_drafts(user) else rows.filter(status=TemplateVersionStatus.PUBLISHED)


def one_of_each_major(user: User, template: Template) -> QuerySet[TemplateVersion]:
    """The recommended minor of each major; where nothing is published, the newest that this person may see."""
    other = versions_visible_to(user, template).filter(major=OuterRef("major"))
    published_first = other.annotate(
        rank=Case(When(status=TemplateVersionStatus.PUBLISHED, then=0), default=1)
    ).order_by("rank", "-minor")
    return versions_visible_to(user, template).filter(pk=Subquery(published_first.values("pk")[:1]))


def version_by_arn(arn: str) -> TemplateVersion | None:
    """The version of an ARN of ours, or None."""
    parsed = arns.parse(arn)
    if parsed is None or parsed.kind != "template_version":
        return None
    kind, name, major, minor = parsed.names
    rows = TemplateVersion.objects.select_related("template").filter(template__kind=kind.upper(), template__name=name)
    return rows.filter(major=int(major), minor=int(minor)).first()
