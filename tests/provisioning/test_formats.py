import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.formats import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_of_every_format_fits_it(name: str) -> None:
    assert FORMATS[name].fits(FORMATS[name].example)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("email", ["a@b.example", "first.last+tag@mail.example.com"], ["a", "a@b", "a b@c.example", "@c.example"]),
        ("uri", ["https://a", "s3://bucket/key", "urn:x:y"], ["a", "//a", "https://a b", "https:"]),
        ("date", ["2024-02-29"], ["2023-02-29", "20240229", "2024-2-9", "today"]),
        ("date-time", ["2026-10-07T12:00:00+02:00", "2026-10-07t12:00:00z"], ["2026-10-07", "2026-10-07T12:00:00"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0.256", "10.0.0", "::1", "010.0.0.1"]),
        ("ipv6", ["::1"], ["10.0.0.1", ":::"]),
        ("cidr", ["10.0.0.0/16", "2001:db8::/32"], ["10.0.0.0", "10.0.0.1/16", "10.0.0.0/33"]),
        ("hostname", ["a", "a-b.example.com"], ["-a", "a_b", "a..b", "a" * 64, ".".join(["a" * 60] * 5)]),
        ("uuid", ["0F8FAD5B-d9cb-469f-a165-70867728950e"], ["0f8fad5b", "0f8fad5bd9cb469fa16570867728950e"]),
        ("arn", ["arn:aws:s3:::bucket", "arn:aws:iam::aws:policy/X", "arn:aws-cn:iam::123456789012:role/x"],
         ["arn:aws:s3"]),
        ("account-id", ["012345678901"], ["12345678901", "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢"]),
        ("region", ["us-gov-west-1", "ap-southeast-2"], ["us-east", "US-EAST-1", "europe"]),
        ("instance-type", ["m5.large", "u-6tb1.56xlarge"], ["large", "M5.large"]),
        ("image", ["nginx", "nginx:1.27", "1.dkr.ecr.eu-central-1.amazonaws.com/a/b:v1", "localhost:5000/a"],
         ["A B", "a:", ""]),
        ("duration", ["P1D", "PT15M", "P1Y2M3W4DT5H6M7.5S"], ["P", "PT", "15m", "P1S"]),
    ],
)  # fmt: skip
def test_a_format_tells_good_from_bad(name: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not FORMATS[name].fits(value)] == []
    assert [value for value in bad if FORMATS[name].fits(value)] == []


@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=40))
def test_any_text_fits_a_format_or_not(name: str, value: str) -> None:
    assert FORMATS[name].fits(value) in (True, False)
