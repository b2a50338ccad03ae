"""A CloudFormation template on its way to AWS."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from provisioning.engines.base import Job
from provisioning.engines.session import Sessions

MAX_BODY = 51_200  # bytes that a call may carry
MAX_OBJECT = 1_000_000  # bytes of a template in S3


@dataclass(frozen=True)
class Carrier:
    """How a template travels: the argument of the call, and what must be uploaded first."""

    argument: Mapping[str, str]
    upload: Callable[[], Any] | None = None
    remove: Callable[[], Any] | None = None


def carrier(job: Job, sessions: Sessions) -> Carrier | str:
    """In the call itself, else through ``job.settings["template_bucket"]``, a bucket of the portal's own account in
    the target's region; or the sentence that says why neither works."""
    body = job.template.encode()
    if len(body) <= MAX_BODY:
        return Carrier({"TemplateBody": job.template})
    if len(body) > MAX_OBJECT:
        return f"The rendered template has {len(body):,} bytes; CloudFormation takes at most {MAX_OBJECT:,}."
    bucket = str(job.settings.get("template_bucket", ""))
    if not bucket:
        return (
            f"The rendered template has {len(body):,} bytes. Above {MAX_BODY:,} bytes CloudFormation reads templates "
            "from S3 only, and no bucket for templates is configured."
        )
    s3 = sessions.own("s3", job.target.region, mutating=True)
    key = f"templates/{hashlib.sha256(body).hexdigest()}"
    return Carrier(
        {"TemplateURL": _address(s3.meta.endpoint_url, bucket, key)},
        upload=lambda: s3.put_object(Bucket=bucket, Key=key, Body=body),
        remove=lambda: s3.delete_object(Bucket=bucket, Key=key),
    )


def _address(endpoint: str, bucket: str, key: str) -> str:
    parts = urlsplit(endpoint)
    if (parts.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")) and "." not in bucket:
        return f"{parts.scheme}://{bucket}.{parts.netloc}/{quote(key)}"
    return f"{endpoint.rstrip('/')}/{bucket}/{quote(key)}"
