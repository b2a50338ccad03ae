"""P-W1: the wizard's page with twenty inputs, by WSGI applications called without a server."""

from collections.abc import Iterator

from tests.bench.measuring import Effort, Line, compare, milliseconds, per_second
from tests.bench.minimal import write_django
from tests.bench.site import Place, clean_environment
from tests.bench.wsgi_child import Application


def row_w1(effort: Effort, place: Place) -> Iterator[Line]:
    """The product's page, with session, access, database and everything around the form, beside two pages of a
    project that has none of these: one by django.forms, one by a template written by hand. The second line is the
    form alone, without the page around it."""
    site, folder = place.site, place.folder / "forms"
    write_django(folder, forms=True)
    portal = Application("tests.bench.portal_pages", site.environment)
    peer = Application("minimal.wsgi", clean_environment(), folder)

    def page() -> float:
        return portal.seconds_per_call(site.wizard, effort.seconds, site.cookie)

    def fields() -> float:
        return portal.seconds_per_call("/fields", effort.seconds)

    def by_forms() -> float:
        return peer.seconds_per_call("/forms", effort.seconds)

    def by_hand() -> float:
        return peer.seconds_per_call("/hand", effort.seconds)

    try:
        for warm in (page, fields, by_forms, by_hand):
            warm()
        for what, ours in (("wizard page", page), ("wizard form alone", fields)):
            found = compare(lambda ours=ours: 1 / ours(), lambda: 1 / by_forms(), effort.rounds)  # type: ignore[misc]
            rates = per_second(1 / found.ours), per_second(1 / found.theirs)
            yield Line("P-W1", f"{what} by rate beside django.forms", found.ratio, *rates, "at least 5")
        found = compare(page, by_hand, effort.rounds)
        times = milliseconds(found.ours), milliseconds(found.theirs)
        yield Line("P-W1", "wizard page by time beside a template by hand", found.ratio, *times, "at most 6")
    finally:
        for application in (portal, peer):
            application.stop()
