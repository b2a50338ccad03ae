from django.urls import path

from portal.webhooks import github

urlpatterns = [
    path("webhooks/github", github.github, name="webhook-github"),
]
