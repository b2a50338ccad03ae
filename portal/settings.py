"""Settings, read from the environment by typed helpers that fail with advice. See .env.example."""

import json
import os
import sys
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from portal import logs, production
from provisioning.forges import names as forge_names
from provisioning.forges.errors import ForgeRefused

BASE_DIR = Path(__file__).resolve().parent.parent


def env_flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, str(default)).lower()
    if value not in {"true", "false"}:
        raise ImproperlyConfigured(f"{name}={value}: say true or false (see .env.example)")
    return value == "true"


def env_number(name: str, default: float) -> float:
    value = os.environ.get(name, str(default))
    try:
        return float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value}: say a number (see .env.example)") from None


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = os.environ.get(name) or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value}: say {' or '.join(choices)} (see .env.example)")
    return value


def env_list(name: str, default: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


DATA_DIR = Path(os.environ.get("DATA_DIR", BASE_DIR / ".data")).resolve()
EMBEDDED = env_flag("DEUTERON_EMBEDDED", False)  # set by the supervisor of `make run`, never by hand
DEBUG = env_flag("DEBUG", False)
TESTING = "pytest" in sys.modules
TOOLING = env_flag("DEUTERON_TOOLING", False)  # set by make for commands that serve nobody
PRODUCTION = not (EMBEDDED or TESTING or TOOLING)

SECRET_KEY = os.environ.get("SECRET_KEY", "")
ENCRYPTION_KEYS = env_list("ENCRYPTION_KEYS", "")  # Fernet keys: the first one writes, all read
if not SECRET_KEY:
    if not (TESTING or TOOLING):
        raise ImproperlyConfigured(
            "SECRET_KEY is not set: put a long random string into the environment (see .env.example)"
        )
    SECRET_KEY = "not-secret-only-for-tests-and-tools-" + "x" * 32
    ENCRYPTION_KEYS = ENCRYPTION_KEYS or ["x" * 43 + "="]
SEAL_INPUTS = env_flag("SEAL_INPUTS", True)  # false while processes of a version serve that cannot read them
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS", "")  # older ones, whose sessions go on
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
PORT = int(env_number("PORT", 8000))
PORTAL_PUBLIC_URL = os.environ.get("PORTAL_PUBLIC_URL", f"http://127.0.0.1:{PORT}")
CSRF_TRUSTED_ORIGINS = [PORTAL_PUBLIC_URL] if PORTAL_PUBLIC_URL.startswith("https://") else []
PORTAL_ACCOUNT_ID = os.environ.get("PORTAL_ACCOUNT_ID", "123456789012")
PORTAL_REGION = os.environ.get("PORTAL_REGION", "us-east-1")
PORTAL_PRINCIPAL_ARN = os.environ.get("PORTAL_PRINCIPAL_ARN", "")  # whom the policies to paste name, if not the account

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "portal",
]
MIDDLEWARE = [
    "portal.web.machines.RequestMiddleware",
    "portal.wire.gateway.WireMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.web.errors.RefusalMiddleware",
    "portal.web.second_factor.EnrolmentMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.page.shell",
            ],
            "builtins": ["portal.templatetags.ui"],
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}"), conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / ".artifacts" / "test.sqlite3")}  # a file, as in production
else:
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "prepare_threshold": 2**31,  # statements are prepared where that is asked for: portal/queries/prepared.py
        # A forgotten transaction or a migration that waits for a lock must not stop everybody else. What is prepared is
        # planned once: left to itself PostgreSQL plans a page of a list each time, which takes longer than the page.
        "options": "-c lock_timeout=15s -c idle_in_transaction_session_timeout=60s"
        " -c plan_cache_mode=force_generic_plan",
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "portal.User"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
LOCAL_SIGN_IN = os.environ.get("LOCAL_SIGN_IN", "true").lower()  # who may come in with a password kept here
if LOCAL_SIGN_IN not in {"true", "admins", "false"}:
    raise ImproperlyConfigured(f"LOCAL_SIGN_IN={LOCAL_SIGN_IN}: say true, admins or false (see .env.example)")
REQUIRE_TOTP_FOR = env_list("REQUIRE_TOTP_FOR", "")
if unknown := set(REQUIRE_TOTP_FOR) - {"admin", "platform", "developer", "viewer"}:
    raise ImproperlyConfigured(f"REQUIRE_TOTP_FOR names {', '.join(sorted(unknown))}: say roles (see .env.example)")
TRUSTED_PROXIES = env_list("TRUSTED_PROXIES", "")  # whose X-Forwarded-For is believed

OIDC_ISSUER = os.environ.get("OIDC_ISSUER", "")
OIDC_CLIENT_ID = os.environ.get("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = os.environ.get("OIDC_CLIENT_SECRET", "")
OIDC_NAME = os.environ.get("OIDC_NAME", "") or "single sign-on"
OIDC_GROUPS_CLAIM = os.environ.get("OIDC_GROUPS_CLAIM", "") or "groups"
OIDC_ADMIN_GROUPS = env_list("OIDC_ADMIN_GROUPS", "")
OIDC_PLATFORM_GROUPS = env_list("OIDC_PLATFORM_GROUPS", "")
OIDC_DEVELOPER_GROUPS = env_list("OIDC_DEVELOPER_GROUPS", "")
OIDC_VIEWER_GROUPS = env_list("OIDC_VIEWER_GROUPS", "")
OIDC_TEAM_PREFIX = os.environ.get("OIDC_TEAM_PREFIX", "")
SOCIALACCOUNT_ADAPTER = "portal.web.oidc.Adapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = (
    True  # a form would be stopped by form-action in the content policy; state and PKCE guard it
)
ACCOUNT_EMAIL_VERIFICATION = "none"

SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_COOKIES = PORTAL_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True  # scripts read the token from the page
if SECURE_COOKIES:  # the browser refuses these from a neighbouring host, and over http
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_COOKIE_AGE = int(3600 * env_number("SESSION_HOURS", 24))
SECURE_SSL_REDIRECT = SECURE_COOKIES
SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^metrics$"]  # probes inside a cluster speak http
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_COOKIES else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_COOKIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_COOKIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [
    (name, BASE_DIR / "static" / name)
    for name in ("css", "js", "img", "vendor")
    if (BASE_DIR / "static" / name).is_dir()
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"  # tests need no collected files
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024  # a bundle has at most 10 MB
FILE_UPLOAD_MAX_MEMORY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

BROKER_URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "max_retries": 0,  # of a nudge: else each one waits six seconds for a broker that is down
}
CELERY_BEAT_SCHEDULE = {
    "reconcile": {"task": "portal.tasks.reconcile", "schedule": 60.0},
}

LEASE_SECONDS = env_number("LEASE_SECONDS", 30)  # a worker that says nothing for this long has lost its row
POLL_SECONDS = env_number("POLL_SECONDS", 1)  # how often each worker looks for rows that are due
WIRE_RATE = env_number("WIRE_RATE", 200)  # calls a second of one access key, in each web process; 0: any number
WIRE_BURST = env_number("WIRE_BURST", 400)  # calls that it may make at once
AUDIT_EXPORT = Path(os.environ.get("AUDIT_EXPORT") or DATA_DIR / "audit")  # where the ends of the audit chain are noted
PULL_REQUEST_TIMEOUT = env_number("PULL_REQUEST_TIMEOUT", 604800)  # seconds to merge one, and to report after that
MAX_STEP_FAILURES = int(env_number("MAX_STEP_FAILURES", 20))  # then a deployment asks for attention

# Repositories. A GitHub App is asked first; a person's token is the fallback where no App can be had.
GITHUB_API_URL = os.environ.get("GITHUB_API_URL", "").rstrip("/") or "https://api.github.com"
GITHUB_APP_ID = os.environ.get("GITHUB_APP_ID", "")
GITHUB_APP_PRIVATE_KEY = os.environ.get("GITHUB_APP_PRIVATE_KEY", "").replace("\\n", "\n")
GITHUB_TOKEN = os.environ.get("GITHUB_TOKEN", "")
GITHUB_WORKFLOWS = env_flag("GITHUB_WORKFLOWS", False)  # whether the App's tokens may write workflow files
GITHUB_WEBHOOK_SECRETS = env_list("GITHUB_WEBHOOK_SECRET", "")  # each of them is good: a new one beside the old one
if bool(GITHUB_APP_ID) != bool(GITHUB_APP_PRIVATE_KEY):
    raise ImproperlyConfigured("A GitHub App needs GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY (see .env.example)")
try:
    forge_names.base_url(GITHUB_API_URL)
except ForgeRefused as error:
    raise ImproperlyConfigured(f"GITHUB_API_URL={GITHUB_API_URL}: {error.advice} (see .env.example)") from None

LOGGING = logs.configuration(
    json=PRODUCTION and not logs.for_people(), level=os.environ.get("LOG_LEVEL", "INFO").upper()
)
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")  # for /metrics from elsewhere than this machine
# Templates of more than 51,200 bytes reach CloudFormation through this bucket of the portal's own account.
TEMPLATE_BUCKET = os.environ.get("TEMPLATE_BUCKET", "")

# Commands of bundles (CodeBuild provisioning): in AWS CodeBuild, or on the workers themselves.
COMMAND_RUNNER = env_choice("COMMAND_RUNNER", "local" if EMBEDDED else "codebuild", ("local", "codebuild"))
COMMAND_HOSTS = env_list("COMMAND_HOSTS", "")  # host:port, or .domain:port for all below it, that local runs may reach
COMMAND_TIMEOUT = env_number("COMMAND_TIMEOUT", 3600)  # seconds
COMMAND_MEMORY_MB = env_number("COMMAND_MEMORY_MB", 2048)
COMMAND_DISK_MB = env_number("COMMAND_DISK_MB", 1024)
COMMAND_PROCESSES = int(env_number("COMMAND_PROCESSES", 256))
COMMAND_LOG_MB = env_number("COMMAND_LOG_MB", 5)
COMMANDS_WITHOUT_SANDBOX = env_flag("COMMANDS_WITHOUT_SANDBOX", False)

# A wish for the in-memory engine (JSON, see provisioning/engines/memory.py) that then stands in for every other one.
SIMULATION = json.loads(os.environ["SIMULATION"]) if os.environ.get("SIMULATION") else None

if PRODUCTION and (
    refusals := production.refusals(
        secret_key=SECRET_KEY,
        encryption_keys=ENCRYPTION_KEYS,
        debug=DEBUG,
        simulation=SIMULATION is not None,
        database_engine=DATABASES["default"]["ENGINE"],
        web_workers=production.web_workers(sys.argv, os.environ),
    )
    + production.sign_in_refusals(
        local=LOCAL_SIGN_IN,
        issuer=OIDC_ISSUER,
        client=bool(OIDC_CLIENT_ID and OIDC_CLIENT_SECRET),
        groups=[*OIDC_ADMIN_GROUPS, *OIDC_PLATFORM_GROUPS, *OIDC_DEVELOPER_GROUPS, *OIDC_VIEWER_GROUPS],
        proxies=TRUSTED_PROXIES,
    )
):
    raise ImproperlyConfigured(" ".join(refusals))
