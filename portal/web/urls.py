"""The addresses of the pages. A view is named after its address, with underscores."""

from django.urls import path, register_converter

from portal.web import oidc
from portal.web.views import (
    accounts,
    components,
    connections,
    dashboard,
    deployments,
    drafts,
    environments,
    fleet,
    health,
    instances,
    people,
    pipelines,
    pull_requests,
    repositories,
    resources,
    secret_names,
    services,
    settings,
    sign_in,
    templates,
    totp,
    versions,
)


class _InLowerCase:
    """Values of an enum, in lower case in addresses: "environment" there, and "ENVIRONMENT" for views."""

    def to_python(self, value: str) -> str:
        return value.upper()

    def to_url(self, value: str) -> str:
        return str(value).lower()


class KindConverter(_InLowerCase):
    regex = "environment|service"


class ProviderConverter(_InLowerCase):
    regex = "github|github_enterprise|bitbucket"


register_converter(KindConverter, "kind")
register_converter(ProviderConverter, "provider")

TEMPLATE = "templates/<kind:kind>/<str:name>/"
VERSION = TEMPLATE + "<int:major>.<int:minor>/"
ENVIRONMENT = "environments/<str:name>/"
SERVICE = "services/<str:name>/"
INSTANCE = SERVICE + "instances/<str:instance>/"
PIPELINE = SERVICE + "pipeline/"
COMPONENT = "components/<str:name>/"
REPOSITORY = "repositories/<provider:provider>/<str:owner>/<str:name>/"
PULL = REPOSITORY + "pull/<int:number>/"
DRAFT = "drafts/<uuid:id>/"
DEPLOYMENT = "deployments/<uuid:id>/"
CONNECTION = "accounts/connections/<uuid:id>/"

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-in/code/", sign_in.sign_in_code, name="sign-in-code"),
    # The names are allauth's, which finds the addresses by them; nothing else of it can be reached.
    path("sign-in/oidc/", oidc.start, {"provider_id": oidc.PROVIDER}, name="openid_connect_login"),
    path("sign-in/oidc/callback/", oidc.callback, {"provider_id": oidc.PROVIDER}, name="openid_connect_callback"),
    path("sign-out/", sign_in.sign_out, name="sign-out"),
    path("", dashboard.dashboard, name="dashboard"),
    path("usage.csv", dashboard.usage_csv, name="usage-csv"),
    path("templates/", templates.templates, name="templates"),
    path("templates/new/", templates.template_new, name="template-new"),
    path(TEMPLATE, templates.template, name="template"),
    path(TEMPLATE + "edit/", templates.template_edit, name="template-edit"),
    path(TEMPLATE + "delete/", templates.template_delete, name="template-delete"),
    path(TEMPLATE + "versions/new/", versions.version_new, name="version-new"),
    path(VERSION, versions.version, name="version"),
    path(VERSION + "edit/", versions.version_edit, name="version-edit"),
    path(VERSION + "publish/", versions.version_publish, name="version-publish"),
    path(VERSION + "delete/", versions.version_delete, name="version-delete"),
    path(VERSION + "trust/", versions.version_trust, name="version-trust"),
    path("environments/", environments.environments, name="environments"),
    path("environments/new/", environments.environment_new, name="environment-new"),
    path(ENVIRONMENT, environments.environment, name="environment"),
    path(ENVIRONMENT + "edit/", environments.environment_edit, name="environment-edit"),
    path(ENVIRONMENT + "update/", environments.environment_update, name="environment-update"),
    path(ENVIRONMENT + "delete/", environments.environment_delete, name="environment-delete"),
    path(ENVIRONMENT + "cancel/", environments.environment_cancel, name="environment-cancel"),
    path("services/", services.services, name="services"),
    path("services/new/", services.service_new, name="service-new"),
    path(SERVICE, services.service, name="service"),
    path(SERVICE + "edit/", services.service_edit, name="service-edit"),
    path(SERVICE + "delete/", services.service_delete, name="service-delete"),
    path(INSTANCE, instances.instance, name="instance"),
    path(INSTANCE + "edit/", instances.instance_edit, name="instance-edit"),
    path(INSTANCE + "update/", instances.instance_update, name="instance-update"),
    path(INSTANCE + "cancel/", instances.instance_cancel, name="instance-cancel"),
    path(PIPELINE + "edit/", pipelines.pipeline_edit, name="pipeline-edit"),
    path(PIPELINE + "update/", pipelines.pipeline_update, name="pipeline-update"),
    path(PIPELINE + "cancel/", pipelines.pipeline_cancel, name="pipeline-cancel"),
    path("components/", components.components, name="components"),
    path("components/new/", components.component_new, name="component-new"),
    path(COMPONENT, components.component, name="component"),
    path(COMPONENT + "edit/", components.component_edit, name="component-edit"),
    path(COMPONENT + "update/", components.component_update, name="component-update"),
    path(COMPONENT + "detach/", components.component_detach, name="component-detach"),
    path(COMPONENT + "delete/", components.component_delete, name="component-delete"),
    path(COMPONENT + "cancel/", components.component_cancel, name="component-cancel"),
    path("repositories/", repositories.repositories, name="repositories"),
    path("repositories/new/", repositories.repository_new, name="repository-new"),
    path(REPOSITORY, repositories.repository, name="repository"),
    path(REPOSITORY + "test/", repositories.repository_test, name="repository-test"),
    path(REPOSITORY + "unlink/", repositories.repository_unlink, name="repository-unlink"),
    path(REPOSITORY + "files/", repositories.repository_files, name="repository-files"),
    path(REPOSITORY + "files/<path:path>", repositories.repository_file, name="repository-file"),
    path(PULL, pull_requests.repository_pull, name="repository-pull"),
    path(PULL + "merge/", pull_requests.repository_pull_merge, name="repository-pull-merge"),
    path(PULL + "close/", pull_requests.repository_pull_close, name="repository-pull-close"),
    path("secret-names/", secret_names.secret_names, name="secret-names"),
    path(DRAFT, drafts.draft, name="draft"),
    path(DRAFT + "details/", drafts.draft_details, name="draft-details"),
    path(DRAFT + "inputs/", drafts.draft_inputs, name="draft-inputs"),
    path(DRAFT + "review/", drafts.draft_review, name="draft-review"),
    path(DRAFT + "field/", drafts.draft_field, name="draft-field"),
    path(DRAFT + "submit/", drafts.draft_submit, name="draft-submit"),
    path(DRAFT + "discard/", drafts.draft_discard, name="draft-discard"),
    path("deployments/", deployments.deployments, name="deployments"),
    path(DEPLOYMENT, deployments.deployment, name="deployment"),
    path(DEPLOYMENT + "log/", deployments.deployment_log, name="deployment-log"),
    path(DEPLOYMENT + "cancel/", deployments.deployment_cancel, name="deployment-cancel"),
    path(DEPLOYMENT + "retry/", deployments.deployment_retry, name="deployment-retry"),
    path(DEPLOYMENT + "attention/", deployments.deployment_attention, name="deployment-attention"),
    path("pull-requests/", fleet.pull_requests, name="pull-requests"),
    path("pull-requests/confirm/", fleet.confirm, name="pull-requests-confirm"),
    path("pull-requests/do/", fleet.do, name="pull-requests-do"),
    path("resources/redeploy/", resources.redeploy, name="resources-redeploy"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/connections/", connections.connections, name="connections"),
    path("accounts/connections/new/", connections.connection_new, name="connection-new"),
    path(CONNECTION, connections.connection, name="connection"),
    path(CONNECTION + "test/", connections.connection_test, name="connection-test"),
    path(CONNECTION + "accept/", connections.connection_accept, name="connection-accept"),
    path(CONNECTION + "reject/", connections.connection_reject, name="connection-reject"),
    path(CONNECTION + "edit/", connections.connection_edit, name="connection-edit"),
    path(CONNECTION + "delete/", connections.connection_delete, name="connection-delete"),
    path("accounts/<str:account_id>/", accounts.account_edit, name="account-edit"),
    path("settings/", settings.settings, name="settings"),
    path("settings/password/", people.password, name="password"),
    path("settings/totp/", totp.totp, name="totp"),
    path("settings/totp/start/", totp.totp_start, name="totp-start"),
    path("settings/totp/confirm/", totp.totp_confirm, name="totp-confirm"),
    path("settings/totp/codes/", totp.totp_codes, name="totp-codes"),
    path("settings/totp/off/", totp.totp_off, name="totp-off"),
    path("settings/roles/", settings.roles, name="roles"),
    path("settings/components/", settings.components, name="settings-components"),
    path("settings/pipelines/", settings.pipelines, name="settings-pipelines"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/new/", people.person_new, name="person-new"),
    path("settings/people/<str:username>/", people.person, name="person"),
    path("settings/people/<str:username>/totp/reset/", people.person_totp_reset, name="person-totp-reset"),
    path("settings/people/<str:username>/link/", people.person_link, name="person-link"),
    path("settings/people/<str:username>/unlink/", people.person_unlink, name="person-unlink"),
    path("settings/teams/", people.teams, name="teams"),
    path("settings/teams/new/", people.team_new, name="team-new"),
    path("settings/teams/<str:name>/", people.team, name="team"),
    path("settings/teams/<str:name>/delete/", people.team_delete, name="team-delete"),
    path("settings/audit/", settings.audit, name="audit"),
    path("settings/keys/", people.keys, name="keys"),
    path("settings/keys/new/", people.key_new, name="key-new"),
    path("settings/keys/<str:key_id>/revoke/", people.key_revoke, name="key-revoke"),
    path("healthz/live", health.live, name="health-live"),
    path("healthz/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
]
