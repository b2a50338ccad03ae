"""``format``: what each name means, and an example that a person can follow."""

import datetime
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    check: Callable[[str], object]  # returns something false, or raises ValueError, when the value does not fit
    noun: str
    example: str

    def fits(self, value: str) -> bool:
        try:
            return bool(self.check(value))
        except ValueError:
            return False


def _full(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.ASCII).fullmatch


def _network(value: str) -> object:
    return "/" in value and ipaddress.ip_network(value)


def _ipv4(value: str) -> object:
    return ipaddress.IPv4Address(value)


def _date(value: str) -> object:
    return len(value) == 10 and datetime.date.fromisoformat(value)


def _date_time(value: str) -> object:
    return "T" in value.upper() and datetime.datetime.fromisoformat(value.upper()).tzinfo


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*"

FORMATS = {
    "email": Format(_full(rf"[^@\s]{{1,64}}@{_LABEL}(?:\.{_LABEL})+"), "an e-mail address", "team@example.com"),
    "uri": Format(_full(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+"), "an address", "https://example.com/path"),
    "date": Format(_date, "a date", "2026-10-07"),
    "date-time": Format(_date_time, "a time with its zone", "2026-10-07T12:00:00Z"),
    "ipv4": Format(_ipv4, "an IPv4 address", "10.0.0.1"),
    "ipv6": Format(ipaddress.IPv6Address, "an IPv6 address", "2001:db8::1"),
    "cidr": Format(_network, "a network in CIDR form", "10.0.0.0/16"),
    "hostname": Format(_full(_HOST), "a host name", "app.example.com"),
    "uuid": Format(
        _full(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "a UUID", "0f8fad5b-d9cb-469f-a165-70867728950e"
    ),
    "arn": Format(
        _full(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:.+"),
        "an ARN",
        "arn:aws:sns:us-east-1:123456789012:topic",
    ),
    "account-id": Format(_full(r"\d{12}"), "an AWS account id", "123456789012"),
    "region": Format(_full(r"[a-z]{2}(?:-[a-z]+)+-\d"), "an AWS region", "eu-central-1"),
    "instance-type": Format(_full(r"[a-z][a-z0-9-]*\.[a-z0-9-]+"), "an EC2 instance type", "t3.micro"),
    "image": Format(
        _full(r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9._/-]+(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?"),
        "a container image",
        "public.ecr.aws/nginx/nginx:1.27",
    ),
    "duration": Format(
        _full(r"P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"),
        "a duration",
        "PT15M",
    ),
}
FORMATS["account id"] = FORMATS["aws-account-id"] = FORMATS["account-id"]
FORMATS["instance type"] = FORMATS["instance-type"]
FORMATS["image reference"] = FORMATS["image-reference"] = FORMATS["image"]
FORMATS["aws-region"] = FORMATS["region"]

# Formats that say how a value is shown or stored, not what it may be.
SILENT_FORMATS = {"password", "int32", "int64", "float", "double", "byte", "binary", "textarea", "multiline"}
