"""Where bundles come from: an uploaded archive, a directory, S3. All give file names and bytes; nothing is written."""

import os
import stat
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from provisioning.archives import MAX_ARCHIVE, MAX_UNPACKED, read_archive, refused
from provisioning.names import Names

__all__ = ["read_archive", "read_directory", "read_s3"]

_CHUNK = 256 * 1024
_S3_REFUSALS = {
    "NoSuchKey": "There is no object {key} in the bucket {bucket}.",
    "404": "There is no object {key} in the bucket {bucket}.",
    "NoSuchBucket": "There is no bucket {bucket}.",
    "AccessDenied": "AWS does not let the portal read s3://{bucket}/{key} (access denied).",
    "403": "AWS does not let the portal read s3://{bucket}/{key} (access denied).",
    "AllAccessDisabled": "All access to the bucket {bucket} is disabled.",
    "InvalidBucketName": "{bucket} is not the name of a bucket.",
    "InvalidObjectState": "s3://{bucket}/{key} is archived; restore it first.",
    "PermanentRedirect": "The bucket {bucket} is in another region.",
    "KMS.DisabledException": "The key that encrypts s3://{bucket}/{key} is disabled.",
    "KMS.NotFoundException": "The key that encrypts s3://{bucket}/{key} does not exist.",
}


def read_directory(path: Path) -> dict[str, bytes]:
    """The files below a directory. Symbolic links are refused, never followed.

    Raises ProblemsFound with everything that is wrong; OSError when the directory itself cannot be read.
    """
    names = Names()
    room = MAX_UNPACKED

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(path, onerror=fail, followlinks=False):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(
            name for name in folders if name not in links and names.clean(_relative(path, folder, name)) is not None
        )
        for name in sorted(files + links):
            clean = names.clean(_relative(path, folder, name))
            if clean is None:
                continue
            room -= _add_file(names, clean, os.path.join(folder, name))
            if room < 0:
                raise refused(f"The bundle is larger than {MAX_UNPACKED // 1024**2} MB.")
    return names.finish()


def _relative(root: Path, folder: str, name: str) -> str:
    return Path(folder, name).relative_to(root).as_posix()


def _add_file(names: Names, name: str, path: str) -> int:
    """Adds one file and returns its size in bytes; anything but a plain file is refused without being opened."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        names.refuse(name, "is a link or a device; only plain files can be in a bundle")
        return 0
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        names.add(name, file.read)
    return len(names.files.get(name, b""))


def read_s3(bucket: str, key: str, client: Any) -> dict[str, bytes]:
    """The files of an archive in S3. ``client`` is a boto3 S3 client.

    Raises ProblemsFound when the object is not there, may not be read or is no bundle. Throttling and network
    trouble propagate as botocore's own exceptions: trying again may help.
    """
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ParamValidationError as error:
        raise refused(f"s3://{bucket}/{key} is not an address in S3.") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        sentence = _S3_REFUSALS.get(code)
        if sentence is None:
            raise
        raise refused(sentence.format(bucket=bucket, key=key)) from error
    with answer["Body"] as body:
        content = bytearray()
        while chunk := body.read(_CHUNK):
            content += chunk
            if len(content) > MAX_ARCHIVE:
                break  # read_archive says what is wrong
    return read_archive(bytes(content))
