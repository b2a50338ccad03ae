"""Archives that want out of their folder, or more memory, time and disk than anybody has. Made here, kept nowhere.

Each aims at a folder ``outside`` beside the one it is meant for, two levels up: nothing else is in danger, also not
from a reader that falls for it.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from tests.factories.bundles import environment_files, member, tar_gz, tar_of, zip_of

UP = "../../outside"
Member = tuple[tarfile.TarInfo, bytes]


def corpus(outside: str, megabytes: int) -> dict[str, bytes]:
    """Archives by what they try. ``outside`` is an absolute folder; bombs unpack to so many ``megabytes``."""
    found: dict[str, bytes] = {}
    for what, name in _names(outside).items():
        for kind, pack in (("tar", _tar), ("tar.gz", _gz), ("zip", zip_of)):
            try:
                found[f"{what}, {kind}"] = pack({name: b"owned"})
            except (UnicodeEncodeError, ValueError):
                continue  # this kind of archive cannot say such a name
    found |= {f"{what}, tar": tar_of(*members) for what, members in _links(outside).items()}
    found |= {what: tar_of(*(member(*file) for file in files)) for what, files in _clashes().items()}
    return found | _headers() | _zips(outside) | _bombs(megabytes)


def inert() -> dict[str, dict[str, bytes]]:
    """Archives inside archives, as the files of the outer one: whoever opens the inner ones has lost."""
    inner = zip_of({f"{number}": b"\0" * 1_000_000 for number in range(40)})
    for _ in range(5):
        inner = zip_of({f"{number}.zip": inner for number in range(4)})
    escape = tar_of(member(f"{UP}/nested", b"owned"))
    return {"a nested bomb": {"a": b"x", "inner.zip": inner}, "a nested escape": {"a": b"x", "inner.tar": escape}}


def _tar(files: dict[str, bytes]) -> bytes:
    return tar_of(*(member(name, content) for name, content in files.items()))


_gz = tar_gz


def _names(outside: str) -> dict[str, str]:
    return {
        "upwards": f"{UP}/owned",
        "upwards from a folder": f"a/../{UP}/owned",
        "upwards after a dot": f"./{UP}/owned",
        "upwards and down again": f"a/b/../../{UP}/../outside/owned",
        "upwards with doubled slashes": f"..//..//outside/{'owned'}",
        "a folder above": "..",
        "ends above": "a/..",
        "absolute": f"{outside}/owned",
        "absolute with doubled slashes": f"/{outside}/owned",
        "a drive": "C:/owned",
        "a drive without a slash": "C:owned",
        "backslashes": "..\\..\\outside\\owned",
        "a share": "\\\\host\\share\\owned",
        "mixed slashes": "..\\../outside/owned",
        "a newline": "a\nb",
        "an escape sequence": "a\x1b[2Jb",
        "a delete character": "a\x7fb",
        "a carriage return": "a\rb",
        "a part that is too long": "x" * 256,
        "longer than PATH_MAX": "/".join(["d" * 200] * 25),
        "very deep": "/".join(["d"] * 2_000),
        "not UTF-8": "caf\udce9",
    }


def _link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> Member:
    return member(name, kind=kind, link=to)


def _folder(name: str) -> Member:
    return member(name, kind=tarfile.DIRTYPE)


def _links(outside: str) -> dict[str, list[Member]]:
    through = member("link/owned", b"owned")
    chain = [_link("a", ".."), _link("b", "a/.."), _link("link", "b/outside"), through]
    return {
        "a link upwards": [_link("link", UP), through],
        "an absolute link": [_link("link", outside), through],
        "a link to a file": [_link("canary", f"{UP}/canary"), member("canary", b"owned")],
        "a chain of links": chain,
        "a link inside a folder": [_folder("a"), _link("a/link", f"../{UP}"), member("a/link/owned", b"owned")],
        "a link that replaces a folder": [_folder("link"), _link("link", UP), through],
        "a link to itself": [_link("link", "link"), through],
        "a link to nothing": [_link("link", "nothing")],
        "a harmless link": [member("file", b"x"), _link("link", "file")],
        "a link with an empty target": [_link("link", "")],
        "a hard link upwards": [_link("canary", f"{UP}/canary", tarfile.LNKTYPE), member("canary", b"owned")],
        "a hard link, absolute": [_link("canary", f"{outside}/canary", tarfile.LNKTYPE), member("canary", b"owned")],
        "a hard link to a link": [_link("link", UP), _link("hard", "link", tarfile.LNKTYPE), through],
        "a hard link through a link": [
            _link("link", UP),
            _link("hard", "link/canary", tarfile.LNKTYPE),
            member("hard", b"owned"),
        ],
        "links until realpath gives up": list(_too_long_for_realpath()),
        "a character device": [_device("device", tarfile.CHRTYPE)],
        "a block device": [_device("device", tarfile.BLKTYPE)],
        "a pipe": [member("pipe", kind=tarfile.FIFOTYPE)],
        "a link with a long name": [_link("n" * 200, UP), member("n" * 200 + "/owned", b"owned")],
    }


def _too_long_for_realpath() -> Iterator[Member]:
    """The way of CVE-2025-4517: folders and links until the resolved path is longer than PATH_MAX."""
    path = ""
    for letter in "abcdefghijklmnop":
        yield _folder(f"{path}{'d' * 247}")
        yield _link(f"{path}{letter}", "d" * 247)
        path += f"{letter}/"
    yield _link(f"{path}{'l' * 254}", "../" * 16)
    yield _link("escape", f"{path}{'l' * 254}/{UP}")
    yield member("escape/owned", b"owned")


def _device(name: str, kind: bytes) -> Member:
    info, content = member(name, kind=kind)
    info.devmajor, info.devminor = 1, 3
    return info, content


def _clashes() -> dict[str, list[tuple[str, bytes]]]:
    pairs = {
        "names that differ in case": ("a/b", "a/B"),
        "folders that differ in case": ("A/x", "a/y"),
        "names that fold alike": ("straße", "STRASSE"),
        "names that compose alike": ("é", "e\u0301"),
        "a name that is there twice": ("a", "a"),
        "the same by another spelling": ("a", "./a"),
        "a file that is a folder": ("a", "a/b"),
        "a folder that is a file": ("a/b", "a"),
    }
    return {what: [(first, b"1"), (second, b"2")] for what, (first, second) in pairs.items()}


def _header(size: bytes, *, name: str = "a", kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> bytes:
    """A tar whose first header claims a size of its own."""
    data = bytearray(tar_of(member(name, content, kind=kind), form=tarfile.USTAR_FORMAT))
    data[124:136] = size
    data[148:156] = b"        "
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    return bytes(data)


def _record(record: bytes) -> bytes:
    """A tar with one extended header."""
    return tar_of(member("x", record, kind=tarfile.XHDTYPE), member("a", b"x"), form=tarfile.USTAR_FORMAT)


def _pax(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 2
    return f"{length}".encode() + body if len(str(length)) == 2 else f"{length + 1}".encode() + body


def _headers() -> dict[str, bytes]:
    sparse, content = member("a", b"x" * 512)
    sparse.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": "99999999", "GNU.sparse.numblocks": "1"}
    comment, small = member("a", b"x")
    comment.pax_headers = {"comment": "1" * 70_000}
    fine = tar_gz(environment_files())
    return {
        "a negative size": _header(b"\xff" * 12),
        "a size of eight exabytes": _header(b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7),
        "a size that is no number": _header(b"zzzzzzzzzzz\0"),
        "a sparse file": tar_of((sparse, content)),
        "a sparse file of old": _header(b"00000000000\0", kind=tarfile.GNUTYPE_SPARSE),
        "a name in an extended header": _record(_pax("path", f"{UP}/owned")),
        "a NUL in an extended header": _record(_pax("path", "evil\0name")),
        "an absolute name in an extended header": _record(_pax("path", "/owned/by/you")),
        "a size in an extended header": _record(_pax("size", "9" * 20)),
        "a negative size in an extended header": _record(_pax("size", "-1")),
        "a long extended header": tar_of((comment, small)),
        "an extended header of digits": _record(b"9" * 60_000),
        "an extended header of spaces": _record(b"1 " * 30_000),
        "an extended header without an end": _record(b"999 a=b\n"),
        "an extended header of length 0": _record(b"0 a=b\n"),
        "an archive that is cut short": fine[: len(fine) // 2],
        "an archive with a wrong checksum": fine[:-8] + b"\0" * 8,
        "nothing": b"",
        "no archive": b"%PDF-1.7 ...",
        "the head of an archive": b"\x1f\x8b\x08",
        "too large to be read": b"\x1f\x8b" + b"\0" * (10 * 1024 * 1024),
    }


def _zip_link(to: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, to)
        archive.writestr("link/owned", b"owned")
    return packed.getvalue()


def _with_method(method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a", b"x" * 1000)
    return packed.getvalue()


def _zips(outside: str) -> dict[str, bytes]:
    honest = zip_of({"a": b"0123456789" * 1000})
    encrypted = bytearray(zip_of({"a": b"x"}))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    size = (10_000).to_bytes(4, "little")
    return {
        "a zip with a link": _zip_link(UP),
        "a zip with an absolute link": _zip_link(outside),
        "a zip with a NUL in a name": zip_of({"evilXname": b"x"}).replace(b"evilXname", b"evil\0name"),
        "a zip that is encrypted": bytes(encrypted),
        "a zip packed with lzma": _with_method(zipfile.ZIP_LZMA),
        "a zip packed with bzip2": _with_method(zipfile.ZIP_BZIP2),
        "a zip that says it is smaller": honest.replace(size, (5).to_bytes(4, "little")),
        "a zip whose names disagree": honest.replace(b"a", b"b", 1),
        "a zip whose directory is elsewhere": honest[:-6] + struct.pack("<I", 0xFFFFFF) + b"\0\0",
        "a zip of ten thousand entries and one": b"PK\x03\x04" + b"PK\x01\x02" * 10_001,
        "a zip whose entries overlap": _overlapping(),
        "an empty zip": zip_of({}),
    }


def _overlapping(entries: int = 5_000) -> bytes:
    """One packed megabyte that thousands of entries of the directory share."""
    one = zip_of({"00000": b"\0" * 1_000_000})
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry = one[start:end]
    directory = b"".join(entry.replace(b"00000", f"{number:05d}".encode()) for number in range(entries))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, entries, entries, len(directory), start, 0)
    return one[:start] + directory + tail


def _stream(megabytes: int, name: str) -> bytes:
    """A compressed tar with one member of zeros, without ever holding it."""
    info = tarfile.TarInfo(name)
    info.size = megabytes << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(info.tobuf(tarfile.PAX_FORMAT))]
    zeros = b"\0" * (1 << 20)
    packed += [packer.compress(zeros) for _ in range(megabytes)]
    return b"".join([*packed, packer.compress(b"\0" * 1024), packer.flush()])


def _bombs(megabytes: int) -> dict[str, bytes]:

    twice = gzip.compress(_stream(megabytes, "a"))
    return {
        "a bomb of zeros": _stream(megabytes, "a"),
        "a bomb in junk": _stream(megabytes, ".git/pack"),
        "a bomb that is packed twice": twice,
        "a zip bomb": zip_of({f"{number}": b"\0" * 2_000_000 for number in range(megabytes // 2)}),
        "a zip bomb in junk": zip_of({f".git/{number}": b"\0" * 2_000_000 for number in range(megabytes // 2)}) + b"",
        "a bomb of members": gzip.compress(_tar({f"{number}": b"" for number in range(20_000)}), 6),
        "a bomb of folders": gzip.compress(tar_of(*(_folder(f"{number}") for number in range(20_000))), 6),
        "a bomb of empty blocks": gzip.compress(b"\0" * (megabytes << 20), 9),
    }
