"""P-S1, P-S3 and P-M1: how soon web server and worker are there, and how much memory the web server takes."""

from collections.abc import Iterator

from tests.bench import servers
from tests.bench.measuring import Effort, Line, compare, megabytes, milliseconds
from tests.bench.minimal import write_celery, write_django
from tests.bench.site import Place, clean_environment

READY = "/healthz/ready"
PAGES = (READY, "/", "/templates/", "/environments/")


def row_s1(effort: Effort, place: Place) -> Iterator[Line]:
    """From the start of gunicorn to the first healthy answer, database migrated and empty but for one template."""
    site, peer = place.site, _minimal(place)

    def ours() -> float:
        return servers.cold_start("portal.wsgi:application", site.environment, READY, place.folder)

    def theirs() -> float:
        return servers.cold_start("minimal.wsgi:application", peer, "/", place.folder)

    found = compare(ours, theirs, effort.starts)
    figures = milliseconds(found.ours), milliseconds(found.theirs)
    yield Line("P-S1", "cold start of the web server beside a minimal Django", found.ratio, *figures)


def row_s3(effort: Effort, place: Place) -> Iterator[Line]:
    """From the start of a worker to its being ready, threads, with a broker that answers."""
    folder = place.folder / "celery"
    write_celery(folder)
    with servers.broker(folder) as address:
        environment = place.site.environment | {"BROKER_URL": address}
        peer = clean_environment() | {"PYTHONPATH": str(folder), "CELERY_BROKER_URL": address}
        found = compare(
            lambda: servers.worker_start("portal", {**environment, "LOG_LEVEL": "INFO"}, folder),
            lambda: servers.worker_start("bare", peer, folder),
            effort.starts,
        )
    figures = milliseconds(found.ours), milliseconds(found.theirs)
    yield Line("P-S3", "worker ready beside a bare Celery app", found.ratio, *figures)


def row_m1(effort: Effort, place: Place) -> Iterator[Line]:
    """Memory of gunicorn's master and one worker, shared pages counted by their part, after the same load."""
    site, peer = place.site, _minimal(place)
    own_load = servers.Load((*PAGES, site.wizard), effort.requests, site.cookie)
    peer_load = servers.Load(("/", "/about"), effort.requests)

    def ours() -> float:
        return servers.memory_after("portal.wsgi:application", site.environment, own_load, place.folder)

    def theirs() -> float:
        return servers.memory_after("minimal.wsgi:application", peer, peer_load, place.folder)

    found = compare(ours, theirs, effort.starts)
    figures = megabytes(found.ours), megabytes(found.theirs)
    yield Line("P-M1", "memory of the web server beside a minimal Django", found.ratio, *figures)


def _minimal(place: Place) -> dict[str, str]:
    """The environment of the minimal project."""
    write_django(place.folder / "minimal")
    return clean_environment() | {"PYTHONPATH": str(place.folder / "minimal")}
