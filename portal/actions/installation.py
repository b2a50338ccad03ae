"""The first person of a new portal, whom nobody could have made."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from portal.actions import audit
from portal.actions.names import check_name, unless_taken
from portal.enums import Role
from portal.errors import Invalid
from portal.models import User
from provisioning.problems import Problem


def make_admin(*, username: str, password: str) -> User:
    """For those who may run commands on the server. Raises Invalid for a weak password, Conflict for a taken name."""
    check_name(username, "person", path="/username")
    try:
        validate_password(password)
    except ValidationError as weak:
        raise Invalid(" ".join(weak.messages), [Problem("/password", message) for message in weak.messages]) from None
    with transaction.atomic():
        user = unless_taken(
            lambda: User.objects.create_user(username, password=password, role=Role.ADMIN),
            f"{username} exists already. Choose another name.",
        )
        audit.record(by=None, action="user.create", target=f"user/{username}", role=user.role)
    return user
