"""Every address. The doors own what is below theirs."""

from django.urls import include, path

urlpatterns = [
    path("", include("portal.wire.urls")),
    path("", include("portal.webhooks.urls")),
    path("", include("portal.web.urls")),
]
