"""Demo people, their teams and access keys, the sample templates and repository. Made by `make run` only."""

import time

from django.conf import settings

from portal import forges
from portal.actions import people, registrations, repositories, templates
from portal.embedded import sample_app
from portal.embedded.profiles import PEOPLE, AccessKeyPair
from portal.embedded.samples import SAMPLES, Sample, pack_sample
from portal.enums import Role, TemplateVersionStatus
from portal.errors import PortalError
from portal.models import AccessKey, AwsAccount, Repository, Team, Template, TemplateVersion, User
from portal.secrets import decrypt, place_of

TEAMS = {"platform": "Looks after the platform", "payments": "Takes the money"}
TEAM_OF = {"admin": "platform", "platform": "platform", "developer": "payments"}


def make_people() -> dict[str, User]:
    """admin, platform and developer with passwords equal to their names. Those that exist stay as they are."""
    teams = {
        name: Team.objects.get_or_create(name=name, defaults={"description": text})[0] for name, text in TEAMS.items()
    }
    made = {}
    for name in PEOPLE:
        person = User.objects.filter(username=name).first()
        if person is None:
            role = Role(name)
            person = User.objects.create_user(
                name, password=name, role=role, is_staff=role == Role.ADMIN, is_superuser=role == Role.ADMIN
            )
            person.teams.add(teams[TEAM_OF[name]])
        made[name] = person
    AwsAccount.objects.get_or_create(account_id=settings.PORTAL_ACCOUNT_ID, defaults={"name": "embedded"})
    return made


def access_key(person: User) -> AccessKeyPair:
    """The person's oldest key that is not revoked; made when there is none."""
    key = AccessKey.objects.filter(user=person, revoked_at__isnull=True).first()
    if key is not None:
        return AccessKeyPair(key.key_id, decrypt(key.secret, place=place_of(key, "secret")))
    key, secret = people.create_access_key(by=person, user=person)
    return AccessKeyPair(key.key_id, secret)


def make_templates(admin: User) -> None:
    """Register and publish the sample bundles. A template that has versions is left alone."""
    for sample in SAMPLES:
        template = Template.objects.filter(kind=sample.kind, name=sample.name).first()
        if template is None:
            template = templates.create_template(
                by=admin,
                kind=sample.kind,
                name=sample.name,
                display_name=sample.display_name,
                description=sample.description,
                provisioning=sample.provisioning,
            )
        if not template.versions.exists():
            _register(admin, template, sample)


def _register(admin: User, template: Template, sample: Sample) -> None:
    for major, minor in sample.versions:
        version = registrations.register_version(
            by=admin,
            template=template,
            data=pack_sample(sample.name, major, minor),
            file_name=f"{sample.name}-{major}.{minor}.tar.gz",
            major=major if minor else None,
            compatible=sample.compatible,
        )
        templates.publish_version(by=admin, version=version)


def make_repository(platform: User) -> str:
    """The sample repository in the forge of this machine, linked; "" when it is there. Else why there is none: it is
    made at GitHub where that is set up, and without git there is no forge."""
    if Repository.objects.filter(name=sample_app.NAME).exists() or forges.local_forge() is None:
        return ""
    try:
        repositories.create_local(by=platform, name=sample_app.NAME, files=sample_app.FILES)
    except PortalError as refusal:
        return f"There is no sample repository: {refusal.message}"
    return ""


def wait_for_registrations(until: float) -> None:
    """Until the worker has checked the samples, but not longer than ``until`` (Unix time)."""
    waiting = TemplateVersion.objects.filter(status=TemplateVersionStatus.REGISTRATION_IN_PROGRESS)
    while time.time() < until and waiting.exists():
        time.sleep(0.2)
