"""Signatures: what botocore signs is accepted, and nothing else, whichever byte of it is changed."""

import random
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from hashlib import sha256
from itertools import islice

import pytest

from portal.wire import sigv4
from tests.wire.flips import flips
from tests.wire.signing import JSON, KEY_ID, REGION, SECRET, TARGET, environ, key_of, refusal, signed

FLIPS = 6000
SIGNED_AT = time.time()  # the requests below are signed while this file is read
WRONG, INCOMPLETE = "InvalidSignatureException", "IncompleteSignatureException"
RICH = JSON | {"x-amz-user-agent": "aws-sdk-js/3.0 m/E,n", "my-header": "a  b   c", "date-of-birth": "unknown"}


def test_what_botocore_signs_is_accepted():
    found = sigv4.verify(signed(token="a-token"), key_of, service="proton", regions={REGION})
    assert (found.key_id, found.token, len(found.signature)) == (KEY_ID, "a-token", 64)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("/", {}),
        ("/?Param1=value1", {}),
        ("/?Param1=value2&Param1=value1", {}),
        ("/?Param1=Value1&Param2=", {}),
        ("/?Param2=value2&Param1=value1", {}),
        ("/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", {}),
        ("/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789", {}),
        ("/%E1%88%B4", {}),
        ("/example%20space/", {}),
        ("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", {}),
        ("/aws/proton/", {}),
        ("/", {"My-Header1": "value1"}),
        ("/", {"My-Header2": "a   b   c"}),
        ("/", {"ZOO": "zoobar"}),
        ("/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}),
        ("/", {"X-Amz-User-Agent": "aws-sdk-js/3.0 m/E,n"}),
    ],
)
def test_the_variants_of_the_public_test_suite_are_accepted(method, url, headers):
    body = b"Param1=value1" if method == "POST" else b""
    request = signed(
        method=method, url=f"http://example.amazonaws.com{url}", body=body, headers=headers, service="host"
    )
    assert refusal(request, service="host") == ""


def test_the_example_that_aws_publishes_has_the_signature_that_aws_publishes():
    key = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_the_request_line_is_taken_undecoded_from_the_server():
    request = signed(url="http://127.0.0.1:8000/a%20b/", headers=JSON)
    taken = sigv4.from_wsgi(environ(request), request.body)
    assert (taken, refusal(taken)) == (request, "")
    absolute = {**environ(request), "RAW_URI": "http://127.0.0.1:8000/a%20b/"}
    assert refusal(sigv4.from_wsgi(absolute, request.body)) == ""
    other = {key: value for key, value in environ(request).items() if key != "RAW_URI"} | {"PATH_INFO": "/a b/"}
    assert refusal(sigv4.from_wsgi(other, request.body)) == ""


def without(name: str, **headers: str):
    request = signed()
    return replace(
        request, headers={key: value for key, value in {**request.headers, **headers}.items() if key != name}
    )


def authorized(old: str, new: str, request=None):
    request = request or signed()
    text = request.headers["authorization"]
    assert old in text
    return replace(request, headers={**request.headers, "authorization": text.replace(old, new)})


def with_header(name: str, value: str):
    request = signed()
    return replace(request, headers={**request.headers, name: value})


def forged(names: str, **headers: str):
    """Signed by the holder of the secret over ``names`` only, which botocore would never do."""
    request = signed()
    request = replace(request, headers={**request.headers, **headers})
    stamp = request.headers["x-amz-date"]
    date = stamp[:8]
    lines = "".join(f"{name}:{request.headers.get(name, '')}\n" for name in names.split(";"))
    text = f"POST\n/\n\n{lines}\n{names}\n{sha256(request.body).hexdigest()}"
    scope = f"{date}/{REGION}/proton/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(text.encode()).hexdigest()}"
    key = sigv4.signing_key(SECRET, date, REGION, "proton")
    made = sigv4.hmac.digest(key, to_sign.encode(), "sha256").hex()
    value = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={made}"
    return replace(request, headers={**request.headers, "authorization": value})


ALL = "content-type;host;x-amz-date;x-amz-target"


def test_the_forger_of_these_tests_signs_rightly():
    assert refusal(forged(ALL)) == ""


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (without("authorization"), "MissingAuthenticationTokenException"),
        (with_header("authorization", ""), "MissingAuthenticationTokenException"),
        (replace(without("authorization"), query="X-Amz-Credential=x&X-Amz-Signature=y"), INCOMPLETE),
        (replace(signed(), query="X-Amz-Signature=y"), INCOMPLETE),
        (replace(signed(), query="a=b"), WRONG),
        (authorized("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), INCOMPLETE),
        (authorized("Signature=", "Signature=, x="), INCOMPLETE),
        (replace(signed(), headers={**signed().headers, "authorization": "Bearer abc"}), INCOMPLETE),
        (with_header("authorization", ",".join([signed().headers["authorization"]] * 2)), INCOMPLETE),
        (authorized("content-type;host;", "content-type;"), WRONG),
        (authorized("content-type;host", "host;content-type"), INCOMPLETE),
        (authorized("content-type;host", "content-type;host;host"), INCOMPLETE),
        (authorized("content-type;", "content-type;forgotten;"), WRONG),
        (authorized("/us-east-1/", "/eu-west-1/"), WRONG),
        (authorized("/proton/", "/iam/"), WRONG),
        (authorized("aws4_request", "aws5_request"), INCOMPLETE),
        (authorized(KEY_ID, "AKIABBBBBBBBBBBBBBBB"), WRONG),
        (signed(region="eu-west-1"), WRONG),
        (signed(service="cloudformation"), WRONG),
        (signed(secret="another"), WRONG),
        (signed(key_id="AKIABBBBBBBBBBBBBBBB"), WRONG),
        (with_header("x-amz-target", "AwsProton20200720.DeleteEnvironment"), WRONG),
        (with_header("x-amz-target", f"{TARGET},{TARGET}"), WRONG),
        (with_header("x-amz-security-token", "not signed"), WRONG),
        (with_header("x-amz-meta-anything", ""), WRONG),
        (with_header("host", "127.0.0.1:8000,127.0.0.1:8000"), WRONG),
        (without("host"), WRONG),
        (without("x-amz-target"), WRONG),
        (without("x-amz-date"), INCOMPLETE),
        (without("x-amz-date", date="20260101T000000Z"), WRONG),
        (with_header("x-amz-date", "2026-01-01T00:00:00Z"), INCOMPLETE),
        (replace(signed(), body=b'{"name": "prod"}'), WRONG),
        (replace(signed(), body=b""), WRONG),
        (replace(signed(), path="//"), WRONG),
        (replace(signed(), path="/./"), WRONG),
        (replace(signed(), path="/a/../"), WRONG),
        (replace(signed(), path=""), WRONG),
        (replace(signed(), method="PUT"), WRONG),
        (forged("content-type;host;x-amz-date"), WRONG),
        (forged("content-type;x-amz-date;x-amz-target"), WRONG),
        (forged("content-type;host;x-amz-target"), WRONG),
        (forged(ALL, **{"x-amz-security-token": "t"}), WRONG),
        (
            forged(
                f"content-type;host;x-amz-content-sha256;{ALL[18:]}", **{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
            ),
            WRONG,
        ),
        (
            forged(
                f"content-type;host;x-amz-content-sha256;{ALL[18:]}",
                **{"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
            ),
            WRONG,
        ),
        (forged(ALL, host="a,a"), WRONG),
        (forged(ALL, **{"x-amz-target": f"{TARGET},{TARGET}"}), WRONG),
        (forged(ALL, **{"content-type": "a\tb"}), WRONG),
    ],
)
def test_everything_else_is_refused(request_, code):
    assert refusal(request_, now=SIGNED_AT) == code


def test_the_hash_of_the_body_may_be_sent_when_it_is_the_hash_of_the_body():
    digest = sha256(signed().body).hexdigest()
    assert (
        refusal(forged(f"content-type;host;x-amz-content-sha256;{ALL[18:]}", **{"x-amz-content-sha256": digest})) == ""
    )


@pytest.mark.parametrize(
    ("seconds", "code"), [(-361, WRONG), (-302, WRONG), (-298, ""), (0, ""), (298, ""), (302, WRONG), (361, WRONG)]
)
def test_five_minutes_are_the_limit_in_both_directions(seconds, code):
    assert refusal(signed(), now=time.time() + seconds) == code


def test_the_refusal_of_a_wrong_clock_says_the_servers_time():
    request = signed()
    later = sigv4._seconds(request.headers["x-amz-date"]) + 600
    with pytest.raises(sigv4.Refused) as refused:
        sigv4.verify(request, key_of, service="proton", regions={REGION}, now=later)
    server = datetime.fromtimestamp(later, UTC).strftime("%Y%m%dT%H%M%SZ")
    assert f"({server} - 5 min.)" in refused.value.message


def test_a_date_header_as_rfc_1123_says_stands_in_for_the_amazon_one():
    request = signed()
    stamp = request.headers["x-amz-date"]
    date = formatdate(sigv4._seconds(stamp), usegmt=True)
    headers = {name: value for name, value in request.headers.items() if name != "x-amz-date"} | {"date": date}
    names = "content-type;date;host;x-amz-target"
    lines = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    text = f"POST\n/\n\n{lines}\n{names}\n{sha256(request.body).hexdigest()}"
    scope = f"{stamp[:8]}/{REGION}/proton/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(text.encode()).hexdigest()}"
    made = sigv4.hmac.digest(key_of(KEY_ID, stamp[:8], REGION, "proton"), to_sign.encode(), "sha256").hex()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={made}"
    assert refusal(replace(request, headers=headers)) == ""


def test_a_stranger_cannot_tell_an_unknown_key_from_a_wrong_secret():
    answers = []
    for request in (signed(secret="wrong"), signed(key_id="AKIABBBBBBBBBBBBBBBB")):
        with pytest.raises(sigv4.Refused) as refused:
            sigv4.verify(request, key_of, service="proton", regions={REGION})
        answers.append((refused.value.code, refused.value.message, refused.value.status))
    assert answers[0] == answers[1]


def test_who_is_not_known_is_forbidden_and_who_calls_too_often_is_asked_to_wait():
    codes = ("MissingAuthenticationTokenException", INCOMPLETE, WRONG, "ThrottlingException")
    assert [sigv4.Refused(code, "").status for code in codes] == [403, 403, 403, 400]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://127.0.0.1:8000/aws/proton/?a=1&b=2%2F3"])
def test_a_change_of_any_single_byte_is_refused(url):
    request = signed(url=url, headers=RICH | {"my-header": "a b"}, token="dG9rZW4=")
    assert refusal(request) == ""
    found = Counter(
        (part, bool(refusal(flipped))) for part, flipped in islice(flips(request, random.Random(7)), FLIPS // 2)
    )
    accepted = {part: count for (part, refused), count in found.items() if not refused}
    assert accepted == {}
    assert {"method", "path", "query", "body", "host", "x-amz-target"} <= {part for part, _ in found}


def test_a_check_that_leaves_out_the_target_would_be_found_by_these_changes(monkeypatch):
    request = signed()
    monkeypatch.setattr(sigv4, "_canonical_value", ignoring_the_target(request))
    accepted = [part for part, flipped in islice(flips(request, random.Random(7)), 500) if not refusal(flipped)]
    assert set(accepted) == {"x-amz-target"}


def ignoring_the_target(request):
    real = sigv4._canonical_value
    return lambda name, value: real(name, request.headers[name] if name == "x-amz-target" else value)
