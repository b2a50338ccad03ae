"""AWS's own test suite of Signature Version 4: the signed requests, what is to be made of them, and their signatures.

The files in ``sigv4_suite`` are AWS's, unchanged and under their own licence. Their key id is shorter than any that a
portal gives out: it is no part of what is signed, and is lengthened here.
"""

import hmac
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from portal.wire import sigv4
from portal.wire.sigv4 import Refused, Request, Signed

SUITE = Path(__file__).parent / "sigv4_suite"
CASES = sorted(path.stem for path in SUITE.glob("*.sreq"))
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIDEXAMPLE000000000"
AT = 1440938160  # 2015-08-30T12:36:00Z
# What a client may sign and this portal refuses: by the words of the refusal, and why.
NOT_SHORTEST = "The path of the request must be in its shortest form"
REFUSED = {
    # A line has neither bytes that must be encoded nor spaces: no client sends them, and servers take them for broken.
    "get-utf8": NOT_SHORTEST,
    "get-space": NOT_SHORTEST,
    "get-vanilla-utf8-query": "The query of the request must be name=value pairs",
    # One path has one way of writing it: what a proxy and the portal read differently cannot be signed.
    "get-relative": NOT_SHORTEST,
    "get-relative-relative": NOT_SHORTEST,
    "get-slash": NOT_SHORTEST,
    "get-slash-dot-slash": NOT_SHORTEST,
    "get-slash-pointless-dot": NOT_SHORTEST,
    "get-slashes": NOT_SHORTEST,
    # Folded headers are obsolete (RFC 9112, 5.2): gunicorn refuses them before.
    "get-header-value-multiline": "'my-header1' holds control characters",
    # AWS lets each service choose whether the token is signed. Here every x-amz-* header must be.
    "post-sts-header-after": "'x-amz-security-token' must be a 'SignedHeader'",
}
# Its signature is that of get-vanilla, whose request has no token: right in all but that.
NOT_SIGNED = "get-vanilla-with-session-token"


def request_of(case: str) -> Request:
    """As a server reads it: a header that is sent twice is one, joined by a comma."""
    head, _, body = (SUITE / f"{case}.sreq").read_text(encoding="utf-8").partition("\n\n")
    line, *fields = head.replace("\n ", "\r ").split("\n")
    method, _, target = line.removesuffix(" HTTP/1.1").partition(" ")
    path, _, query = target.partition("?")
    headers: dict[str, str] = {}
    for field in fields:
        name, _, value = field.replace("\r", "\n").partition(":")
        name = name.lower()
        headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
    headers["authorization"] = headers["authorization"].replace("AKIDEXAMPLE/", f"{KEY_ID}/")
    return Request(method, path, query, headers, body.encode())


def key_of(key_id: str, date: str, region: str, service: str) -> bytes:
    return sigv4.signing_key(SECRET, date, region, service)


def verified(request: Request) -> Signed:
    return sigv4.verify(request, key_of, service="service", regions={"us-east-1"}, now=AT)


def names_of(request: Request) -> str:
    return request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]


@pytest.mark.parametrize("case", [case for case in CASES if case not in REFUSED])
def test_a_request_of_the_suite_is_read_as_aws_reads_it_and_its_signature_is_right(case):
    request = request_of(case)
    names = names_of(request)
    canonical = sigv4._canonical(request, names, tuple(names.split(";")))
    wanted = (SUITE / f"{case}.creq").read_bytes()
    assert canonical == wanted
    assert (SUITE / f"{case}.sts").read_text().splitlines()[-1] == sha256(wanted).hexdigest()
    if case == NOT_SIGNED:
        right = sigv4.signing_key(SECRET, "20150830", "us-east-1", "service")
        signature = hmac.digest(right, (SUITE / f"{case}.sts").read_bytes(), "sha256").hex()
        headers = {**request.headers, "authorization": request.headers["authorization"][:-64] + signature}
        with pytest.raises(Refused, match="does not match"):
            verified(request)
        request = replace(request, headers=headers)
    assert verified(request).signature == request.headers["authorization"].partition("Signature=")[2]


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_request_of_the_suite_that_may_be_read_in_two_ways_is_refused(case):
    with pytest.raises(Refused) as refused:
        verified(request_of(case))
    assert (refused.value.status, refused.value.message.startswith(REFUSED[case])) == (403, True)


def test_the_whole_suite_is_here():
    assert (len(CASES), set(REFUSED) - set(CASES)) == (34, set())
