from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Deuteron"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal import celery  # noqa: F401  (shared tasks need the app in every process)
