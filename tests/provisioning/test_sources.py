import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from provisioning import archives, names
from provisioning.problems import ProblemsFound
from provisioning.sources import read_archive, read_directory, read_s3
from tests.factories.bundles import environment_files, member, tar_gz, tar_of, zip_of

FILES = environment_files()
PACKERS = {
    "tar.gz": tar_gz,
    "tar": lambda files: tar_of(*(member(name, content) for name, content in files.items())),
    "gnu tar": lambda files: tar_of(*(member(*file) for file in files.items()), form=tarfile.GNU_FORMAT),
    "zip": zip_of,
}


def messages(data: bytes) -> list[str]:
    with pytest.raises(ProblemsFound) as refusal:
        read_archive(data)
    return [problem.message for problem in refusal.value.problems]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_archives_of_every_kind_give_the_same_files(pack: Any) -> None:
    assert read_archive(pack(FILES)) == FILES


def test_names_are_cleaned_and_folders_dropped() -> None:
    data = tar_of(member("./", kind=tarfile.DIRTYPE), member("./a//b.txt", b"x"), member("c/./d.txt", b"y"))
    assert read_archive(data) == {"a/b.txt": b"x", "c/d.txt": b"y"}


def test_junk_of_operating_systems_and_version_control_is_dropped() -> None:
    junk = [".DS_Store", "__MACOSX/a/._b", "a/._manifest.yaml", ".git/HEAD", "a/.git", "Thumbs.db", ".svn/x"]
    assert read_archive(tar_gz({**dict.fromkeys(junk, b"junk"), "a/b": b"x"})) == {"a/b": b"x"}


def test_links_inside_junk_are_dropped_like_junk() -> None:
    assert read_archive(tar_of(member(".git/x", kind=tarfile.SYMTYPE, link="/etc"), member("a", b"x"))) == {"a": b"x"}


@pytest.mark.parametrize("data", [b"", b"not an archive", b"\x00" * 2000, b"%PDF-1.7 ..."])
def test_what_is_no_archive_is_refused_with_advice(data: bytes) -> None:
    assert messages(data) == ["This is not an archive. Send a .tar.gz (or a .tar or .zip) of the bundle's folder."]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_an_archive_cut_short_is_refused(pack: Any) -> None:
    data = pack({"a": os.urandom(20_000)})
    assert [message.split(":")[0] for message in messages(data[: len(data) // 2])] == [
        "The archive is damaged and cannot be read"
    ]


def test_an_empty_archive_is_refused() -> None:
    assert messages(tar_gz({})) == ["The bundle is empty."]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "has an absolute name"),
        ("C:/windows/x", "has an absolute name"),
        ("../escape", "leads out of the bundle (..)"),
        ("a/../../escape", "leads out of the bundle (..)"),
        ("a\\..\\b", "has a backslash in its name; names in an archive use /"),
        ("a\nb", "has a control character in its name"),
        ("x" * 256, "has a name that is too long"),
        ("/".join(["x" * 100] * 11), "has a name that is too long"),
    ],
)
@pytest.mark.parametrize("pack", [PACKERS["tar.gz"], PACKERS["zip"]], ids=["tar.gz", "zip"])
def test_a_name_that_could_mean_another_place_is_refused(pack: Any, name: str, reason: str) -> None:
    shown = name.replace("\n", "?")[:200]
    assert messages(pack({name: b"x", "fine": b"y"})) == [f"{shown} {reason}."]


@pytest.mark.parametrize("pack", [PACKERS["tar.gz"], PACKERS["zip"]], ids=["tar.gz", "zip"])
def test_a_slash_before_every_name_of_a_bundle_is_its_folder(pack: Any) -> None:
    files = {"schema/schema.yaml": b"x", "infrastructure/manifest.yaml": b"y"}
    assert read_archive(pack({f"/{name}": content for name, content in files.items()})) == files


def test_a_slash_before_some_names_of_a_bundle_is_refused() -> None:
    data = tar_gz({"/schema/schema.yaml": b"x", "/etc/passwd": b"y", "infrastructure/manifest.yaml": b"z"})
    assert messages(data) == ["/schema/schema.yaml has an absolute name.", "/etc/passwd has an absolute name."]


@pytest.mark.parametrize("name", ["//etc/passwd", "/../escape", "/C:/windows/x"])
def test_a_slash_before_every_name_hides_no_other_place(name: str) -> None:
    assert len(messages(tar_gz({"/schema/schema.yaml": b"x", name: b"y"}))) == 1


def test_a_nul_in_a_name_is_refused() -> None:
    data = zip_of({"evilXname": b"x"}).replace(b"evilXname", b"evil\0name")
    assert messages(data) == ["evil?name has a control character in its name."]


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    data = tar_of(member("caf\udce9", b"x"), form=tarfile.GNU_FORMAT)
    assert messages(data) == ["caf? has a name that is not UTF-8."]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    data = tar_of(member("a", kind=kind, link="b"), member("b", b"x"))
    assert messages(data) == ["a is a link or a device; only plain files can be in a bundle."]


def test_a_sparse_file_is_refused() -> None:
    info, content = member("a", b"x" * 512)
    info.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": "99999999", "GNU.sparse.numblocks": "1"}
    assert messages(tar_of((info, content))) == ["a is a link or a device; only plain files can be in a bundle."]


def test_a_symbolic_link_in_a_zip_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("a")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert messages(packed.getvalue()) == ["a is a link or a device; only plain files can be in a bundle."]


def test_a_chain_of_links_that_outgrows_path_max_is_refused_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of CVE-2025-4517: folders and links until realpath gives up, then a file through the last link."""
    monkeypatch.chdir(tmp_path)
    members, path = [], ""
    for letter in "abcdefghijklmnop":
        members.append(member(f"{path}{'d' * 247}", kind=tarfile.DIRTYPE))
        members.append(member(f"{path}{letter}", kind=tarfile.SYMTYPE, link="d" * 247))
        path += f"{letter}/"
    members.append(member("escape", kind=tarfile.SYMTYPE, link=f"{path}l/../../../etc"))
    members.append(member("escape/passwd", b"owned"))
    assert {message.split(" ", 1)[1] for message in messages(tar_of(*members))} == {
        "is a link or a device; only plain files can be in a bundle."
    }
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("a/b", "a/B", "a/B differs from a/b only in upper and lower case."),
        ("A/x", "a/y", "a/y differs from A only in upper and lower case."),
        ("straße", "STRASSE", "STRASSE differs from straße only in upper and lower case."),
        ("é", "e\u0301", "e\u0301 differs from é only in upper and lower case."),
        ("a", "./a", "a is there twice."),
        ("a", "a/b", "a/b is inside a, which is a file."),
        ("a/b", "a", "a is there twice."),
    ],
)
def test_names_that_clash_are_refused(first: str, second: str, message: str) -> None:
    assert messages(tar_of(member(first, b"1"), member(second, b"2"))) == [message]


def test_every_bad_member_is_reported_at_once() -> None:
    data = tar_of(member("../a", b"x"), member("/b", b"x"), member("c", kind=tarfile.SYMTYPE, link="d"))
    assert len(messages(data)) == 3


def test_reports_stop_after_fifty_bad_members() -> None:
    assert len(messages(tar_of(*(member(f"../{number}", b"") for number in range(200))))) == names.MAX_PROBLEMS


def test_a_file_over_two_megabytes_is_refused() -> None:
    data = tar_gz({"a": os.urandom(names.MAX_FILE + 1)})
    assert messages(data) == ["a is larger than 2 MB."]


def test_a_bundle_of_more_than_five_hundred_files_is_refused() -> None:
    fine = {f"{number}": b"x" for number in range(names.MAX_FILES)}
    assert read_archive(tar_gz(fine)) == fine
    assert messages(tar_gz({**fine, "more": b"x"})) == ["more is one file too many: a bundle has at most 500."]


def test_an_archive_over_ten_megabytes_is_refused_unread() -> None:
    assert messages(b"\x1f\x8b" + b"\0" * archives.MAX_ARCHIVE) == ["The archive is larger than 10 MB."]


def test_a_gzip_bomb_is_refused_while_it_is_read() -> None:
    bomb = gzip.compress(tar_of(member("a", b"\0" * 60_000_000)))
    assert messages(bomb) == ["The archive unpacks to more than 100 times its size."]


def test_a_bomb_in_a_dropped_member_is_refused() -> None:
    bomb = gzip.compress(tar_of(member(".git/pack", b"\0" * 60_000_000)))
    assert messages(bomb) == ["The archive unpacks to more than 100 times its size."]


def test_a_zip_bomb_is_refused_while_it_is_read() -> None:
    bomb = zip_of({f"{number}": b"\0" * 2_000_000 for number in range(30)})
    assert messages(bomb) == ["The archive unpacks to more than 100 times its size."]


def test_an_archive_that_unpacks_to_more_than_fifty_megabytes_is_refused() -> None:
    block = os.urandom(200_000) + b"\0" * 1_800_000
    data = gzip.compress(tar_of(*(member(f"{number}", block) for number in range(30))), 1)
    assert len(data) < archives.MAX_ARCHIVE
    assert messages(data) == ["Unpacked, the archive is larger than 50 MB."]


def test_an_archive_of_too_many_members_is_refused() -> None:
    folders = tar_of(*(member(f"{number}", kind=tarfile.DIRTYPE) for number in range(archives.MAX_MEMBERS + 1)))
    assert messages(folders) == ["The archive has more than 10000 members."]
    assert messages(b"PK\x03\x04" + b"PK\x01\x02" * 10_001) == ["The archive has more than 10000 members."]


def test_a_zip_that_lies_about_its_sizes_is_refused() -> None:
    data = zip_of({"a": b"0123456789" * 1000})
    lying = data.replace((10_000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    assert [message.split(":")[0] for message in messages(lying)] == ["The archive is damaged and cannot be read"]


def test_an_encrypted_zip_is_refused() -> None:
    data = bytearray(zip_of({"a": b"x"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert messages(bytes(data)) == ["a is encrypted."]


def test_a_zip_packed_with_lzma_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x")
    assert messages(packed.getvalue()) == ["a is packed in a way that is not supported; use deflate."]


def test_a_tar_header_of_negative_size_is_refused() -> None:
    """CVE-2025-8194: tarfile walked backwards for ever."""
    data = bytearray(tar_of(member("a", b"x"), form=tarfile.USTAR_FORMAT))
    data[124:136] = b"\xff" * 12
    data[148:156] = b"        "
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    assert messages(bytes(data)) == ["The archive is damaged and cannot be read: a member has a negative size."]


def test_a_huge_extended_header_is_refused() -> None:
    info, content = member("a", b"x")
    info.pax_headers = {"comment": "1" * 70_000}
    assert messages(tar_of((info, content))) == [
        "The archive is damaged and cannot be read: a header is longer than 64 KB."
    ]


@pytest.mark.parametrize(
    "record", [b"9" * 60_000, b"1 " * 30_000, b"7 a=b", b"999 a=b\n", b"-7 a=b\n", b"0 a=b\n", b"x"]
)
def test_an_extended_header_of_nonsense_is_refused(record: bytes) -> None:
    """CVE-2024-6232: tarfile backtracked for minutes over such headers."""
    data = tar_of(member("x", record, kind=tarfile.XHDTYPE), member("a", b"x"), form=tarfile.USTAR_FORMAT)
    assert [message.split(":")[0] for message in messages(data)] == ["The archive is damaged and cannot be read"]


def test_a_name_in_an_extended_header_is_checked_like_any_other() -> None:
    data = tar_of(member("x", b"18 path=../escape\n", kind=tarfile.XHDTYPE), member("a", b"x"))
    assert messages(data) == ["../escape leads out of the bundle (..)."]


def test_long_names_are_read_in_every_dialect() -> None:
    files = {"/".join(["folder" * 10, "é" * 100, "file"]): b"x", "short": b"y"}
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert read_archive(tar_of(*(member(*file) for file in files.items()), form=form)) == files


def test_attributes_of_one_member_do_not_reach_the_next() -> None:
    data = tar_of(member("x", b"12 path=one\n", kind=tarfile.XHDTYPE), member("a", b"1"), member("b", b"2"))
    assert read_archive(data) == {"one": b"1", "b": b"2"}


def test_what_a_git_archive_holds_is_read() -> None:
    data = tar_of(member("pax_global_header", b"19 comment=abcdefg\n", kind=tarfile.XGLTYPE), member("a", b"1"))
    assert read_archive(data) == {"a": b"1"}


@given(
    st.binary(max_size=400), st.sampled_from([b"\x1f\x8b\x08", b"PK\x03\x04", b"PK\x05\x06", b"\0" * 257 + b"ustar"])
)
def test_random_bytes_never_give_anything_but_problems(rest: bytes, start: bytes) -> None:
    with pytest.raises(ProblemsFound):
        read_archive(start + rest)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_damaged_archive_gives_files_or_problems(at: int, byte: int) -> None:
    data = bytearray(tar_of(member("a/b", b"x" * 600), member("c", b"y")))
    data[at] = byte
    try:
        files = read_archive(bytes(data))
    except ProblemsFound:
        return
    assert all(name == names.Names().clean(name) for name in files)


def test_a_directory_gives_the_same_files_as_its_archive(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("junk")
    assert read_directory(tmp_path) == FILES


def test_links_in_a_directory_are_refused_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "fine").write_text("x")
    (bundle / "file").symlink_to(outside / "secret")
    (bundle / "folder").symlink_to(outside)
    os.mkfifo(bundle / "pipe")
    with pytest.raises(ProblemsFound) as refusal:
        read_directory(bundle)
    assert sorted(problem.message.split()[0] for problem in refusal.value.problems) == ["file", "folder", "pipe"]


def test_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_directory(tmp_path / "nothing")


@pytest.fixture
def s3() -> Any:
    session = botocore.session.get_session()
    return session.create_client("s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")


def test_a_bundle_is_read_from_s3(s3: Any) -> None:
    data = tar_gz(FILES)
    with Stubber(s3) as stub:
        body = StreamingBody(io.BytesIO(data), len(data))
        stub.add_response("get_object", {"Body": body}, {"Bucket": "bundles", "Key": "a.tar.gz"})
        assert read_s3("bundles", "a.tar.gz", s3) == FILES


def test_an_object_larger_than_a_bundle_is_not_read_to_its_end(s3: Any) -> None:
    source = io.BytesIO(b"\0" * (archives.MAX_ARCHIVE * 2))
    with Stubber(s3) as stub:
        stub.add_response("get_object", {"Body": StreamingBody(source, archives.MAX_ARCHIVE * 2)})
        with pytest.raises(ProblemsFound, match="larger than 10 MB"):
            read_s3("bundles", "a.tar.gz", s3)
    assert source.closed


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("NoSuchKey", 404, "There is no object a.tar.gz in the bucket bundles."),
        ("NoSuchBucket", 404, "There is no bucket bundles."),
        ("AccessDenied", 403, "AWS does not let the portal read s3://bundles/a.tar.gz (access denied)."),
    ],
)
def test_what_s3_refuses_is_said_in_a_sentence(s3: Any, code: str, status: int, sentence: str) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", code, http_status_code=status)
        with pytest.raises(ProblemsFound) as refusal:
            read_s3("bundles", "a.tar.gz", s3)
    assert [problem.message for problem in refusal.value.problems] == [sentence]


def test_a_bucket_name_that_cannot_be_one_is_a_problem(s3: Any) -> None:
    with pytest.raises(ProblemsFound, match="is not an address in S3"):
        read_s3("", "a.tar.gz", s3)


def test_throttling_and_network_trouble_pass_through(s3: Any) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        with pytest.raises(ClientError, match="SlowDown"):
            read_s3("bundles", "a.tar.gz", s3)

    class Unreachable:
        def get_object(self, **request: str) -> None:
            raise EndpointConnectionError(endpoint_url="https://s3")

    with pytest.raises(EndpointConnectionError):
        read_s3("bundles", "a.tar.gz", Unreachable())
