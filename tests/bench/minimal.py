"""The peers that the bench writes for itself: the smallest Django project with DRF, and the smallest Celery app."""

from pathlib import Path

SETTINGS = """\
SECRET_KEY = "only-for-this-run"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
MIDDLEWARE = []
ROOT_URLCONF = "minimal.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
USE_TZ = True
"""
WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "minimal.settings"
application = get_wsgi_application()
"""
URLS = """\
from django.http import HttpResponse
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response


@api_view(["GET"])
def about(request):
    return Response({"name": "minimal"})


urlpatterns = [path("", lambda request: HttpResponse("ok")), path("about", about)]
"""
FORM_URLS = """\
from django.http import HttpResponse
from django.urls import path

from tests.bench import form_peers

page_by_forms, page_by_hand = form_peers.pages()
urlpatterns = [
    path("forms", lambda request: HttpResponse(page_by_forms())),
    path("hand", lambda request: HttpResponse(page_by_hand())),
]
"""
CELERY = """\
from celery import Celery

app = Celery("bare")
app.conf.broker_connection_retry_on_startup = True


@app.task
def nothing():
    pass
"""


def write_django(folder: Path, *, forms: bool = False) -> None:
    """The package ``minimal`` in ``folder``; with ``forms`` its pages are the wizard's peers."""
    package = folder / "minimal"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "settings.py").write_text(SETTINGS)
    (package / "wsgi.py").write_text(WSGI)
    (package / "urls.py").write_text(FORM_URLS if forms else URLS)


def write_celery(folder: Path) -> None:
    """The module ``bare`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bare.py").write_text(CELERY)
