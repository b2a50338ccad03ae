"""ARNs of AWS Proton's resources (partition aws). A leaf: imports nothing of ours."""

from django.conf import settings


def _arn(suffix: str, account_id: str = "") -> str:
    return f"arn:aws:proton:{settings.PORTAL_REGION}:{account_id or settings.PORTAL_ACCOUNT_ID}:{suffix}"


def template(kind: str, name: str) -> str:
    return _arn(f"{kind.lower()}-template/{name}")


def template_version(kind: str, name: str, major: int, minor: int) -> str:
    return f"{template(kind, name)}:{major}.{minor}"


def environment(name: str) -> str:
    return _arn(f"environment/{name}")


def service(name: str) -> str:
    return _arn(f"service/{name}")


def service_instance(service_name: str, name: str) -> str:
    return f"{service(service_name)}/service-instance/{name}"


def service_pipeline(service_name: str) -> str:
    return f"{service(service_name)}/pipeline"


def deployment(id: object) -> str:
    return _arn(f"deployment/{id}")


def environment_account_connection(account_id: str, id: object) -> str:
    """Of the environment account, which asked for it."""
    return _arn(f"environment-account-connection/{id}", account_id)
