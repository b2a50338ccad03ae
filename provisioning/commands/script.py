"""The shell script of a run: the commands one after the other in one shell, as CodeBuild runs a phase."""

import shlex
from collections.abc import Sequence

OUTPUTS_FD = 3
MOST_OUTPUTS = 200_000  # bytes of proton-outputs.json that are read

# ``aws proton …`` leads to the portal, with the key of this run; every other command is the AWS CLI's own.
AWS = r"""#!/bin/bash
name= real=
case " $* " in *" proton notify-resource-deployment-status-change "*)
  exec 9<>"/dev/tcp/127.0.0.1/$DEUTERON_NOTIFY_PORT" || exit 255
  for value in "$@"; do
    case "$value" in
      proton|notify-resource-deployment-status-change) [ -n "$name" ] || continue;;
      --*=*) name=${value%%=*}; value=${value#*=};;
      --*) name=$value; case "$name" in --no-*|--debug) name=;; esac; continue;;
    esac
    case "$value" in
      file://*|fileb://*) value=$(cat "${value#*://}") || exit 255;;
    esac
    printf '%s %s\n' "${name#--}" "$(printf %s "$value" | base64 -w0)" >&9
  done
  printf 'end\n' >&9
  read -r code <&9; cat <&9 >&2
  exit "${code:-255}";;
esac
while read -r name; do [ "$name" -ef "$0" ] || { real=$name; break; }; done < <(type -ap aws)
if [ -z "$real" ]; then echo "aws: the AWS CLI is not installed on this machine" >&2; exit 127; fi
exec "$real" "$@"
"""


def script(commands: Sequence[str], folder: str, given: str, work: str) -> str:
    """Bash. Ends with the code of the first command that failed; writes ``proton-outputs.json`` to descriptor 3.

    ``given`` is where the files of the run are read from, ``work`` where the commands find them.
    """
    lines = [
        f"cp -R {shlex.quote(given)}/files/. {shlex.quote(work)}/ 2>/dev/null",
        f"cd {shlex.quote(f'{work}/{folder}')} || exit 125",
    ]
    for number, command in enumerate(commands, start=1):
        lines += [
            f"printf '%s\\n' {shlex.quote(f'[{number} of {len(commands)}] ' + command)}",
            f"eval {shlex.quote(command)}",  # so that an open quote ends with its command, and not with the script
            "code=$?; if [ $code -ne 0 ]; then "
            f"echo '[{number} of {len(commands)}] ended with exit code '$code; exit $code; fi",
        ]
    lines.append(
        f"if [ -f proton-outputs.json ]; then head -c {MOST_OUTPUTS} proton-outputs.json >&{OUTPUTS_FD}; fi; exit 0"
    )
    return "\n".join(lines) + "\n"
