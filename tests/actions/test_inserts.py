import pytest
from django.db import IntegrityError, transaction

from portal.actions import inserts
from portal.models import Template

pytestmark = pytest.mark.django_db


def made(name: str) -> Template:
    return Template(kind="SERVICE", name=name, description="it's 100 %", tags={"team": ["a", None]})


def test_an_inserted_row_is_as_if_it_had_been_saved():
    row = made("web")
    inserts.insert(row)
    saved = made("db")
    saved.save()
    read = Template.objects.get(name="web")
    assert {field.name: getattr(read, field.name) for field in Template._meta.fields} == {
        field.name: getattr(row, field.name) for field in Template._meta.fields
    }
    assert (row._state.adding, row._state.db, saved.pk) == (False, "default", row.pk + 1)


def test_a_row_whose_place_is_taken_is_refused_by_the_database():
    inserts.insert(made("web"))
    with pytest.raises(IntegrityError), transaction.atomic():
        inserts.insert(made("web"))


def test_a_row_whose_place_is_taken_may_be_left_out():
    assert inserts.insert_unless_taken(made("web")) is True
    second = made("web")
    assert (inserts.insert_unless_taken(second), second.pk, Template.objects.count()) == (False, None, 1)
