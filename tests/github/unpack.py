"""python -m tests.github.unpack FOLDER   Takes the one file that the tests read out of the package that npm brought."""

import base64
import hashlib
import json
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
DESCRIPTION = HERE / "node_modules" / "api.github.com.json"


def main(folder: Path) -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    expected = lock["packages"]["node_modules/@octokit/openapi"]["integrity"]
    [package] = folder.glob("octokit-openapi-*.tgz")
    found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != expected:
        package.unlink()
        sys.exit(f"set-up: {package.name} is not what tests/github/package-lock.json pins; it was taken away.")
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/generated/api.github.com.json")
        assert member is not None
        DESCRIPTION.write_bytes(member.read())
    package.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
