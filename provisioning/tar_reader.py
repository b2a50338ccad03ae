"""Walks a tar stream header by header.

``tarfile`` parses single headers here and nothing more: the machine around them has hung, backtracked and escaped on
hostile archives in many Python releases (CVE-2024-6232, CVE-2025-8194, CVE-2025-4517), and a bundle needs little of
it: names, sizes, types.
"""

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_HEADER = 64 * 1024  # bytes of an extended header
_BLOCK = 512
_CHUNK = 64 * 1024
_PAX = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
_KINDS_WITHOUT_CONTENT = set(tarfile.SUPPORTED_TYPES) - set(tarfile.REGULAR_TYPES)

Read = Callable[[int], bytes]  # at most so many bytes, b"" at the end


@dataclass(frozen=True)
class Member:
    """``kind`` is "file", "folder" or "other" (links, devices, sparse files); ``read`` gives a file's content."""

    name: str
    kind: str
    read: Read


def tar_members(read: Read) -> Iterator[Member]:
    """The members of a tar stream, in order. Raises tarfile.TarError when it is damaged or cut short."""
    stream = _Stream(read)
    long_name: str | None = None
    attributes: dict[str, bytes] = {}
    while block := stream.block():
        if not any(block):
            return
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.size < 0:
            raise tarfile.ReadError("a member has a negative size")
        if header.type in _PAX:
            attributes.update(_attributes(stream.header(header.size)))
        elif header.type == tarfile.XGLTYPE:
            stream.header(header.size)
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            long_name = _text(stream.header(header.size).split(b"\0")[0])
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            stream.header(header.size)
        else:
            size = _size(attributes, header.size)
            stream.begin(0 if header.type in _KINDS_WITHOUT_CONTENT else size)
            name = _text(attributes["path"]) if "path" in attributes else long_name or header.name
            yield Member(name, _kind(header, attributes), stream.read)
            if header.type == tarfile.GNUTYPE_SPARSE:
                raise tarfile.ReadError("it holds a sparse file, which only GNU tar can read")
            stream.skip()
            long_name, attributes = None, {}


def _kind(header: tarfile.TarInfo, attributes: dict[str, bytes]) -> str:
    if header.isdir():
        return "folder"
    sparse = header.type == tarfile.GNUTYPE_SPARSE or any(name.startswith("GNU.sparse.") for name in attributes)
    return "file" if header.isreg() and not sparse else "other"


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _size(attributes: dict[str, bytes], size: int) -> int:
    if "size" not in attributes:
        return size
    written = attributes["size"]
    if not written.isdigit() or len(written) > 15:
        raise tarfile.ReadError("a member has no proper size")
    return int(written)


def _attributes(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Records of a pax header: b"11 path=a/b\\n" with its own length in front."""
    at = 0
    while at < len(content) and content[at]:
        space = content.find(b" ", at, at + 8)
        length = content[at:space] if space > at else b""
        if not length.isdigit():
            raise tarfile.ReadError("an extended header has no length")
        end = at + int(length)
        name, equals, value = content[space + 1 : end].partition(b"=")
        if end > len(content) or not equals or not value.endswith(b"\n"):
            raise tarfile.ReadError("an extended header is broken")
        yield name.decode("utf-8", "replace"), value[:-1]
        at = end


class _Stream:
    """Exact reads, and the content of one member at a time."""

    def __init__(self, read: Read):
        self._read = read
        self._left = self._padding = 0

    def block(self) -> bytes:
        """The next header, b"" at the end of the stream."""
        first = self._read(_BLOCK)
        return first if len(first) in (0, _BLOCK) else first + self._exactly(_BLOCK - len(first))

    def header(self, size: int) -> bytes:
        if size > MAX_HEADER:
            raise tarfile.ReadError(f"a header is longer than {MAX_HEADER // 1024} KB")
        self.begin(size)
        content = self._exactly(size)
        self._left = 0
        self.skip()
        return content

    def begin(self, size: int) -> None:
        self._left, self._padding = size, -size % _BLOCK

    def read(self, size: int) -> bytes:
        if not self._left:
            return b""
        content = self._read(min(size, self._left))
        if not content:
            raise tarfile.ReadError("it ends in the middle of a file")
        self._left -= len(content)
        return content

    def skip(self) -> None:
        """Moves behind the current member."""
        while self.read(_CHUNK):
            pass
        self._exactly(self._padding)
        self._padding = 0

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._read(size)
            if not part:
                raise tarfile.ReadError("it ends too early")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
