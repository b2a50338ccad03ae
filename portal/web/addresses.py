"""Where a request came from."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def _trusted(address: str) -> bool:
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(one in ipaddress.ip_network(network) for network in settings.TRUSTED_PROXIES)


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not one of TRUSTED_PROXIES. What others claim in X-Forwarded-For is not believed."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    for claimed in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        if not _trusted(address):
            break
        try:
            address = str(ipaddress.ip_address(claimed.strip()))
        except ValueError:
            break
    return address
