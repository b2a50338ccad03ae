"""What the AWS door could cost at least: the same answers from the same rows by WSGI and one prepared statement each.

No signature is checked, nobody is asked for, and nothing but these three operations is known.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from django.conf import settings

from portal.secrets import Place, decrypt

settings.configure(ENCRYPTION_KEYS=[os.environ["ENCRYPTION_KEYS"]])
ATTEMPTS = """
  l.status, l.status_message, t.latest_id, l.created_at, t.deployed_id, d.created_at, v.major, v.minor"""
BEHIND = """
  JOIN portal_deployment l ON l.id = t.latest_id JOIN portal_deployment d ON d.id = t.deployed_id
  JOIN portal_templateversion v ON v.id = t.version_id"""
ENVIRONMENT = f"""
SELECT {ATTEMPTS}, t.arn, t.name, t.created_at, m.name, t.target_account_id, t.proton_service_role_arn, t.description,
  t.spec
FROM portal_environment t {BEHIND} JOIN portal_template m ON m.id = t.template_id
WHERE t.name = %s"""
INSTANCES = f"""
SELECT {ATTEMPTS}, t.arn, t.name, t.created_at, m.name, s.name, e.name, t.spec
FROM portal_serviceinstance t {BEHIND} JOIN portal_service s ON s.id = t.service_id
  JOIN portal_template m ON m.id = s.template_id JOIN portal_environment e ON e.id = t.environment_id
"""
INSTANCE = f"{INSTANCES} WHERE s.name = %s AND t.name = %s"
PAGE = f"{INSTANCES} ORDER BY s.name, t.name LIMIT 101".replace(", t.spec\n", ", ''\n")
_threads = threading.local()


def _rows(statement: str, *values: str) -> list[tuple[Any, ...]]:
    connection = getattr(_threads, "connection", None)
    if connection is None:
        connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)
        _threads.connection = connection
    return connection.execute(statement, values).fetchall()  # type: ignore[no-any-return]


def _opened(spec: str, table: str, row: tuple[Any, ...]) -> str:
    """Specs are encrypted in the database: a part of the work that cannot be left out."""
    return decrypt(spec, place=Place(table, "spec", row[8]))


def _target(row: tuple[Any, ...]) -> dict[str, Any]:
    status, message, latest, attempted, deployed, succeeded, major, minor, arn, name, created, template, *_ = row
    found = {
        "arn": arn,
        "createdAt": round(created.timestamp(), 3),
        "deploymentStatus": status,
        "lastAttemptedDeploymentId": str(latest),
        "lastDeploymentAttemptedAt": round(attempted.timestamp(), 3),
        "lastDeploymentSucceededAt": round(succeeded.timestamp(), 3),
        "lastSucceededDeploymentId": str(deployed),
        "name": name,
        "templateMajorVersion": str(major),
        "templateMinorVersion": str(minor),
        "templateName": template,
    }
    return found | {"deploymentStatusMessage": message} if message else found


def _environment(asked: dict[str, str]) -> dict[str, Any]:
    (row,) = _rows(ENVIRONMENT, asked["name"])
    account, role, description, spec = row[-4:]
    more = {"environmentAccountId": account, "protonServiceRoleArn": role, "description": description}
    more["spec"] = _opened(spec, "portal_environment", row)
    return {"environment": _target(row) | more}


def _instance(row: tuple[Any, ...]) -> dict[str, Any]:
    service, home, spec = row[-3:]
    found = _target(row) | {"serviceName": service, "environmentName": home}
    return found | {"spec": _opened(spec, "portal_serviceinstance", row)} if spec else found


def _get_instance(asked: dict[str, str]) -> dict[str, Any]:
    (row,) = _rows(INSTANCE, asked["serviceName"], asked["name"])
    return {"serviceInstance": _instance(row)}


def _list_instances(asked: dict[str, str]) -> dict[str, Any]:
    return {"serviceInstances": [_instance(row) for row in _rows(PAGE)[:100]]}


OPERATIONS: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "GetEnvironment": _environment,
    "GetServiceInstance": _get_instance,
    "ListServiceInstances": _list_instances,
}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] == "GET":
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
    body = json.dumps(OPERATIONS[operation](asked), ensure_ascii=False, separators=(",", ":")).encode()
    start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))])
    return [body]
