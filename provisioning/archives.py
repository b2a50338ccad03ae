"""Archives from strangers, read member by member and never extracted.

``tarfile``'s extraction filters have been escaped repeatedly (CVE-2025-4517 and its siblings), so nothing here writes
to a disk: members are read into memory while their bytes are counted. Links, devices and names that could mean
another place are refused; folders and junk (.DS_Store, .git/ and the like) are dropped.
"""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Protocol

from provisioning.names import Names
from provisioning.problems import Problem, ProblemsFound
from provisioning.tar_reader import tar_members

MAX_ARCHIVE = 10 * 1024 * 1024  # AWS Proton: bundle size, 10 MB
MAX_UNPACKED = 50 * 1024 * 1024
MAX_RATIO = 100  # unpacked to packed, looked at above RATIO_FROM bytes
RATIO_FROM = 1024 * 1024
MAX_MEMBERS = 10_000  # junk and folders included
_CHUNK = 64 * 1024
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_archive(data: bytes) -> dict[str, bytes]:
    """The files of a tar.gz, tar or zip by their cleaned names.

    Raises ProblemsFound with everything that is wrong, or with the first thing that makes it unsafe to read on.
    """
    if len(data) > MAX_ARCHIVE:
        raise refused(f"The archive is larger than {MAX_ARCHIVE // 1024**2} MB.")
    names = Names()
    try:
        if data[:2] == b"\x1f\x8b":
            _read_tar(gzip.GzipFile(fileobj=io.BytesIO(data)), len(data), names)
        elif data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            _read_zip(data, names)
        elif data[257:262] == b"ustar":
            _read_tar(io.BytesIO(data), len(data), names)
        else:
            raise refused("This is not an archive. Send a .tar.gz (or a .tar or .zip) of the bundle's folder.")
    except _BROKEN as error:
        raise refused(f"The archive is damaged and cannot be read: {error}.") from error
    return names.finish()


def refused(message: str) -> ProblemsFound:
    return ProblemsFound([Problem("", message)])


class _Counter:
    """Counts unpacked bytes while they are read; stops a bomb long before it is large."""

    def __init__(self, packed: int):
        self.packed, self.unpacked = packed, 0

    def counting(self, source: _Readable) -> Callable[[int], bytes]:
        """The source's read, counted."""

        def read(size: int) -> bytes:
            data = source.read(min(size, _CHUNK))
            self.add(len(data))
            return data

        return read

    def add(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > MAX_UNPACKED:
            raise refused(f"Unpacked, the archive is larger than {MAX_UNPACKED // 1024**2} MB.")
        if self.unpacked > RATIO_FROM and self.unpacked > MAX_RATIO * max(self.packed, 1):
            raise refused(f"The archive unpacks to more than {MAX_RATIO} times its size.")


def _read_tar(source: _Readable, packed: int, names: Names) -> None:
    read = _Counter(packed).counting(source)
    for number, member in enumerate(tar_members(read), start=1):
        _check_count(number)
        name = names.clean(member.name)
        if name is None or member.kind == "folder":
            continue
        if member.kind == "file":
            names.add(name, member.read)
        else:
            names.refuse(member.name, "is a link or a device; only plain files can be in a bundle")
    while read(_CHUNK):  # to the end of a gzip, whose checksum says whether it arrived whole
        pass


def _read_zip(data: bytes, names: Names) -> None:
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:  # one for each entry of the directory, which zipfile reads at once
        _check_count(MAX_MEMBERS + 1)
    counter = _Counter(len(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            name = names.clean(member.orig_filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if name is None or member.is_dir():
                continue
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                names.refuse(name, "is a link or a device; only plain files can be in a bundle")
            elif member.flag_bits & 0x1:
                names.refuse(name, "is encrypted")
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                names.refuse(name, "is packed in a way that is not supported; use deflate")
            else:
                with archive.open(member) as content:
                    names.add(name, counter.counting(content))


def _check_count(members: int) -> None:
    if members > MAX_MEMBERS:
        raise refused(f"The archive has more than {MAX_MEMBERS} members.")
