"""What a run of a bundle's commands gets beside its plan: credentials, secrets, and a key to notify the portal with.

Made when the run starts, given to it and to nobody else, and written nowhere.
"""

import json

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from portal import engines
from portal.actions import session_keys
from portal.errors import PortalError
from portal.models import Deployment
from portal.queries import sensitive
from provisioning.commands.plan import CommandPlan
from provisioning.commands.request import Callback
from provisioning.engines import aws_errors
from provisioning.engines.base import EngineUnavailable, Job
from provisioning.engines.command import CannotStart, Surroundings
from provisioning.engines.session import NoAccess

_NAMES = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}
SPARE_SECONDS = 300.0  # that a key outlives the longest run
MOST_CODEBUILD_SECONDS = 36 * 3600.0  # of a build with all its waiting in line that CodeBuild allows


def of_run(job: Job, plan: CommandPlan) -> Surroundings:
    """For a run on a worker. Raises CannotStart for what a person must mend, EngineUnavailable while AWS is away."""
    try:
        credentials = engines.sessions().temporary(job.target, job.deployment)
        read = {name: _secret(job, reference) for name, reference in plan.secrets.items()}
    except NoAccess as trouble:
        raise CannotStart(str(trouble)) from trouble
    except ClientError as error:
        text = aws_errors.message(error)
        if aws_errors.kind(error) in ("throttled", "unavailable", "expired"):
            raise EngineUnavailable(text) from error
        raise CannotStart(text) from error
    except BotoCoreError as trouble:
        raise EngineUnavailable(str(trouble)) from trouble
    callback = callback_of(job)
    environment = {
        **engines.aws_endpoints(),
        "AWS_ENDPOINT_URL_PROTON": settings.PORTAL_PUBLIC_URL,
        "AWS_REGION": job.target.region,
        "AWS_DEFAULT_REGION": job.target.region,
        **{_NAMES[name]: value for name, value in credentials.items()},
        **read,
    }
    embedded = settings.EMBEDDED and not job.target.role_arn  # its keys are account ids, which are no secrets
    secrets = (
        *(value for name, value in credentials.items() if name != "aws_access_key_id" and not embedded),
        *read.values(),
        *secrets_of(job),
        callback.secret,
        callback.token,
    )
    return Surroundings(environment, secrets, callback)


def callback_of(job: Job) -> Callback:
    """A new key that may notify the portal about this one resource, for as long as the run can last."""
    deployment = Deployment.objects.select_related("actor").get(pk=job.deployment)
    if deployment.actor is None:
        raise CannotStart(f"{deployment.actor_name}, who asked for this, does not exist any more.")
    local = deployment.engine == "command"
    seconds = (settings.COMMAND_TIMEOUT if local else MOST_CODEBUILD_SECONDS) + SPARE_SECONDS
    longest, shortest = session_keys.LONGEST_SECONDS, session_keys.SHORTEST_SECONDS
    try:
        issued = session_keys.issue(
            by=None,
            user=deployment.actor,
            account_id=deployment.account_id,
            seconds=round(min(longest, max(shortest, seconds))),
            purpose=f"commands of deployment {deployment.pk}",
            scope=deployment.target_arn,
        )
    except PortalError as refusal:
        raise CannotStart(refusal.message) from refusal
    return Callback(settings.PORTAL_PUBLIC_URL, settings.PORTAL_REGION, issued.key.key_id, issued.secret, issued.token)


def _secret(job: Job, reference: str) -> str:
    """The value behind CodeBuild's "name-or-arn[:json-key[:stage[:version]]]"."""
    parts = reference.split(":")
    size = 7 if reference.startswith("arn:") else 1
    name, (key, stage, version) = ":".join(parts[:size]), [*parts[size:], "", "", ""][:3]
    which = {"VersionStage": stage, "VersionId": version}
    client = engines.sessions().client("secretsmanager", job.target, name=job.deployment)
    text = str(
        client.get_secret_value(SecretId=name, **{part: value for part, value in which.items() if value})[
            "SecretString"
        ]
    )
    if not key:
        return text
    try:
        found = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise CannotStart(f"The secret {name} has no key {key}.") from None
    return found if isinstance(found, str) else json.dumps(found)


def secrets_of(job: Job) -> tuple[str, ...]:
    """The values of the deployment's secret inputs, short ones as well: a log is masked by rules of its own."""
    return sensitive.values(Deployment.objects.get(pk=job.deployment), shortest=1)


def provide() -> None:
    """From now on the engines of this process ask here."""
    engines.surround(run=of_run, callback=callback_of, secrets=secrets_of)
