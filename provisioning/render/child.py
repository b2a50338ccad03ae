"""The process that renders: reads jobs from its standard input, answers on its standard output, ends at its end.

Started as ``python -m provisioning.render.child`` by the pool, with an empty environment and no open files of its
parent. A frame is four bytes of length, big endian, and that much JSON. The first frame in holds the limits.
"""

import json
import math
import os
import resource
import struct
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from provisioning.problems import Problem, ProblemsFound
from provisioning.render.files import render_file
from provisioning.render.settings import render_settings
from provisioning.render.workflow import render_workflow

RENDERERS = {"cloudformation": render_file, "github_actions": render_workflow}
HEADER = struct.Struct(">I")


def main() -> None:
    """Answers every job until the parent is gone. Ends after a job that ran out of memory: what is left is unsure."""
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may get between two answers
    limits = read_frame(jobs)
    if limits is None:
        return
    memory = limits["memory_mb"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    write_frame(answers, {"ready": True})
    while (job := read_frame(jobs)) is not None:
        allow_processor_time(limits["seconds"])
        try:
            answer = answer_to(job, limits["output_bytes"])
        except MemoryError:
            message = f"needed more than {limits['memory_mb']} MB of memory"
            write_frame(answers, {"problems": [asdict(Problem("", message, file=job["file"]))]})
            return
        write_frame(answers, answer)


def allow_processor_time(seconds: float) -> None:
    """So much more than was used so far: the kernel ends the process even when nobody watches it any more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def answer_to(job: dict[str, Any], output_bytes: int) -> dict[str, Any]:
    how = {
        "trusts_inputs": job["trusts_inputs"],
        "authored": frozenset(job["authored"]),
        "limit": output_bytes,
    }
    try:
        if job.get("settings"):
            return {"text": json.dumps(render_settings(job["text"], job["file"], job["context"], **how))}
        return {"text": RENDERERS[job["language"]](job["text"], job["file"], job["context"], **how).text}
    except ProblemsFound as found:
        return {"problems": [asdict(problem) for problem in found.problems]}


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """None at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    content: dict[str, Any] = json.loads(stream.read(*HEADER.unpack(header)))
    return content


def write_frame(stream: BinaryIO, content: dict[str, Any]) -> None:
    data = json.dumps(content).encode()
    stream.write(HEADER.pack(len(data)) + data)
    stream.flush()


if __name__ == "__main__":
    main()
