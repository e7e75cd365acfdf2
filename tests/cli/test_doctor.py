"""Every line of `doctor` in a world where it is red, and one world in which none is.

The lines of a vendor's own checks (its clock among them) are the adapters' and are tested with them too.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from connector.adapters.budget import Day
from connector.doctor import limits
from connector.doctor.finding import Finding
from connector.engine.context import NEXTCAP, utc_now
from connector.engine.poll import CURSOR
from connector.sandbox.kernel_http import Answer, Application, HttpServer
from connector.store import connections, cursors, drifts, links, parked
from connector.store.database import Database
from connector.wiring import HANDED_OUT, Runtime

from .conftest import Connector, Installation, findings


@pytest.fixture
def serve() -> Iterator[Callable[[Application], str]]:
    """Serve a function on 127.0.0.1; gives its address."""
    servers: list[HttpServer] = []

    def start(application: Application) -> str:
        servers.append(HttpServer(application))
        servers[-1].start()
        return servers[-1].url

    yield start
    for server in servers:
        server.stop()


def examined(connector: Connector, *, code: int) -> dict[str, dict[str, str]]:
    result = connector("doctor", "--json")
    assert result.exit_code == code, result.stdout
    return findings(result)


def spoil(installation: Installation, change: Callable[[Runtime], None]) -> None:
    with installation.runtime() as runtime:
        change(runtime)


def test_all_well(connector: Connector, ready: Installation) -> None:
    result = connector("doctor")

    assert result.exit_code == 0, result.stdout
    assert result.stdout.endswith("all well\n")
    assert "problem" not in result.stdout


def test_a_problem_says_what_to_do(connector: Connector, ready: Installation) -> None:
    connector("pause", "hubspot", "--reason", "an import")

    result = connector("doctor")

    assert result.exit_code == 1
    assert "problem hubspot switch: it is paused by " in result.stdout
    assert ": an import\n        `connector resume hubspot`\n" in result.stdout
    assert result.stdout.endswith("1 problem(s)\n")


# -- the configuration


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"nextcap__api_key": None}, "configuration nextcap.api_key"),
        ({"secret_key": ["short"]}, "configuration SECRET_KEY"),
        ({"public_url": "http://connector.example"}, "configuration public_url"),
        ({"public_url": "https://connector.example/?a=b"}, "configuration public_url"),
        ({"store__url": "postgresql://u@127.0.0.1:1/d"}, "configuration SECRET_KEY"),
        ({"store__url": "mysql://u@127.0.0.1/d"}, "configuration store.url"),
    ],
)
def test_a_wrong_configuration_is_exit_code_2(
    connector: Connector, installation: Installation, changes: dict[str, object], line: str
) -> None:
    installation.write(**changes)

    found = examined(connector, code=2)

    assert found[line]["state"] == "problem"
    assert found[line]["advice"]


def test_a_loopback_address_cannot_serve_a_real_vendor(connector: Connector, ready: Installation) -> None:
    """The database is taken away first, so that nobody is called."""
    (ready.folder / "connector.db").unlink()
    ready.write(nextcap__api_url=None)

    found = examined(connector, code=2)

    assert found["configuration public_url"]["state"] == "problem"


def test_no_connection_is_a_problem(connector: Connector, installation: Installation) -> None:
    del installation.sections["connections.hubspot"]
    installation.write()

    assert examined(connector, code=2)["configuration connections"]["state"] == "problem"


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [("DYNO", "web.1", "configuration store"), ("WEB_CONCURRENCY", "2", "configuration queue")],
)
def test_what_does_not_fit_the_platform(
    connector: Connector, ready: Installation, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    monkeypatch.setenv(variable, value)

    assert examined(connector, code=2)[line]["state"] == "problem"


def test_keys_that_look_like_others_are_worth_a_note(connector: Connector, ready: Installation) -> None:
    ready.write(connections__hubspot__access_token="CJT-short-lived", nextcap__data_key="nextcap_ck_twice")

    found = examined(connector, code=1)

    assert found["configuration connections.hubspot"]["state"] == "note"
    assert found["configuration nextcap.data_key"]["state"] == "note"


def test_no_secret_is_ever_printed(connector: Connector, ready: Installation) -> None:
    printed = connector("doctor").stdout + connector("doctor", "--json").stdout

    assert "nextcap-secret" not in printed
    assert ready.sandbox.hubspot.credentials.static_token not in printed


# -- what it stands on


def test_another_program_at_our_address(
    connector: Connector, ready: Installation, serve: Callable[[Application], str]
) -> None:
    ready.write(public_url=serve(lambda _: Answer(404, b"not here")))

    assert examined(connector, code=1)["web public_url answers"]["state"] == "problem"


def test_an_address_that_is_not_seen_from_here_is_worth_a_note(connector: Connector, ready: Installation) -> None:
    assert examined(connector, code=0)["web public_url answers"]["state"] == "note"


def test_no_database(connector: Connector, installation: Installation) -> None:
    found = examined(connector, code=1)

    assert "connector db upgrade" in found["database answers"]["advice"]
    assert "nextcap tickets" not in found


def test_a_database_that_is_away(connector: Connector, installation: Installation) -> None:
    installation.write(store__url="postgresql://u:hunter2@127.0.0.1:1/d", secret_key=["a long and random text"])

    found = examined(connector, code=1)

    assert found["database answers"]["state"] == "problem"
    assert "hunter2" not in found["database answers"]["detail"]


def test_missing_migrations(connector: Connector, installation: Installation) -> None:
    db = Database(f"sqlite:///{installation.folder / 'connector.db'}")
    with db.write():
        pass
    db.close()

    found = examined(connector, code=1)

    assert found["database migrations"]["state"] == "problem"
    assert "connector db upgrade" in found["database migrations"]["advice"]


def test_a_broker_that_is_away(connector: Connector, ready: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ready.write(queue__url=f"redis://127.0.0.1:{port}/0")

    assert examined(connector, code=1)["queue answers"]["state"] == "problem"


@pytest.mark.parametrize(
    ("info", "line", "state"),
    [
        ("redis_version:8.0.1\r\nmaxmemory_policy:noeviction\r\n", "queue maxmemory-policy", "ok"),
        ("redis_version:8.0.1\r\nmaxmemory_policy:allkeys-lru\r\n", "queue maxmemory-policy", "problem"),
        ("redis_version:8.0.1\r\n", "queue maxmemory-policy", "note"),
        ("redis_version:5.0.14\r\nmaxmemory_policy:noeviction\r\n", "queue answers", "problem"),
    ],
)
def test_a_broker_that_may_lose_the_queue(
    connector: Connector, ready: Installation, info: str, line: str, state: str
) -> None:
    with broker(info) as port:
        ready.write(queue__url=f"redis://127.0.0.1:{port}/0")

        found = examined(connector, code=1 if state == "problem" else 0)

    assert found[line]["state"] == state


@contextmanager
def broker(info: str) -> Iterator[int]:
    """A server that speaks just enough of Redis to be asked for its INFO; gives its port."""

    answers = {b"INFO": f"${len(info)}\r\n{info}\r\n", b"HELLO": "%1\r\n$5\r\nproto\r\n:3\r\n"}

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.readline():
                words = []
                for _ in range(int(head[1:])):
                    words.append(self.rfile.read(int(self.rfile.readline()[1:]) + 2).strip().upper())
                self.wfile.write(answers.get(words[0], "+OK\r\n").encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_no_secret_for_next_caps_webhooks(connector: Connector, ready: Installation) -> None:
    ready.write(nextcap__webhook_secrets=[])
    (ready.folder / "connector.db").unlink()
    connector("db", "upgrade")

    found = examined(connector, code=1)

    assert "connector webhooks register" in found["nextcap webhook secret"]["advice"]


def test_a_stored_secret_that_no_key_opens(connector: Connector, ready: Installation) -> None:
    ready.write(secret_key=["the first long random text"])
    spoil(ready, lambda runtime: runtime.secrets.put(HANDED_OUT, "told once"))
    ready.write(secret_key=["another long random text"])

    assert examined(connector, code=2)["configuration webhook secret"]["state"] == "problem"


def test_a_seat_without_permissions(connector: Connector, ready: Installation) -> None:
    ready.sandbox.nextcap.configure(permissions=["tickets:manage"])

    found = examined(connector, code=1)

    assert found["nextcap tickets"]["state"] == "problem"
    assert "tickets:view" in found["nextcap tickets"]["advice"]
    assert found["nextcap team directory"]["state"] == "problem"
    assert "team:invite" in found["nextcap team directory"]["advice"]


def test_a_key_that_is_not_taken_is_looked_at_before_permissions(connector: Connector, ready: Installation) -> None:
    ready.write(nextcap__api_key="nextcap_ck_of_nobody")

    found = examined(connector, code=1)

    assert "nextcap.api_key" in found["nextcap team directory"]["advice"]
    assert "team:invite" not in found["nextcap team directory"]["advice"]


def test_a_webhook_that_is_not_registered(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")
    connector("setup", "hubspot")

    found = examined(connector, code=1)

    assert "connector setup nextcap" in found["nextcap webhook to http://127.0.0.1:9/webhooks/nextcap"]["advice"]


def test_a_webhook_that_was_switched_off(connector: Connector, ready: Installation) -> None:
    [hook] = ready.sandbox.nextcap.world.webhooks.values()
    hook.is_active = False

    assert examined(connector, code=1)["nextcap webhooks"]["state"] == "problem"


def test_a_hubspot_app_without_scopes(connector: Connector, ready: Installation) -> None:
    ready.sandbox.hubspot.configure(scopes=["oauth"])

    found = examined(connector, code=1)

    assert found["hubspot reading tickets"]["state"] == "problem"
    assert found["hubspot fields"]["state"] == "problem"


def test_a_vendor_that_is_away(connector: Connector, ready: Installation) -> None:
    ready.write(connections__hubspot__api_url="http://127.0.0.1:1")

    found = examined(connector, code=1)

    assert "api_url" in found["hubspot account"]["advice"]


def test_hubspot_webhooks_without_a_client_secret(connector: Connector, ready: Installation) -> None:
    ready.write(connections__hubspot__webhook_secrets=[])

    assert examined(connector, code=1)["hubspot webhooks"]["state"] == "problem"


def test_fields_that_setup_has_not_made(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")

    found = examined(connector, code=1)

    assert "connector setup" in found["hubspot fields"]["advice"]


# -- mappings


def test_a_mapping_that_does_not_fit_the_account(connector: Connector, ready: Installation) -> None:
    ready.mapping.write_text(ready.mapping.read_text().replace("Waiting on contact", "Waiting for Godot"))

    found = examined(connector, code=1)

    assert "Waiting for Godot" in found["hubspot mapping"]["advice"]
    assert found["hubspot mapping in force"]["state"] == "note"


def test_a_mapping_that_cannot_be_read(connector: Connector, ready: Installation) -> None:
    ready.mapping.unlink()

    assert examined(connector, code=1)["hubspot mapping"]["state"] == "problem"


def test_a_mapping_that_is_no_yaml(connector: Connector, ready: Installation) -> None:
    ready.mapping.write_text("status: [")

    assert "hubspot.yaml:1:" in examined(connector, code=1)["hubspot mapping"]["advice"]


# -- what waits


def test_an_open_circuit(connector: Connector, ready: Installation) -> None:
    until = utc_now() + timedelta(minutes=5)

    def close(runtime: Runtime) -> None:
        with runtime.db.write() as connection:
            connections.fail(connection, "hubspot", cause="HubSpot answered 503", until=until)

    spoil(ready, close)

    found = examined(connector, code=1)

    assert f"waiting for HubSpot until {until:%Y-%m-%d %H:%M:%S} UTC" in found["hubspot calls"]["detail"]
    assert "answered 503" in found["hubspot calls"]["detail"]


def test_a_used_up_limit_is_told_with_its_end_and_nobody_is_called(connector: Connector, ready: Installation) -> None:
    limited = {"success": False, "error": {"code": "RATE_LIMITED", "message": "slow down", "retryAfter": 30}}
    ready.sandbox.nextcap.faults.add("status", status=429, body=limited, times=1)

    first = examined(connector, code=1)
    ready.sandbox.nextcap.calls.reset()
    second = examined(connector, code=1)

    assert "ask again after" in first["nextcap team directory"]["advice"]
    assert "waiting for Next Cap's limit until" in second["nextcap limit"]["detail"]
    assert second["nextcap access"]["state"] == "note"
    assert not [call for call in ready.sandbox.nextcap.calls.kept() if "/crm/" in call.path]


def test_what_waits_for_a_person(connector: Connector, ready: Installation) -> None:
    def park(runtime: Runtime) -> None:
        with runtime.db.write() as connection:
            parked.park(connection, name="hubspot", code="conflict", reason="both changed", now=utc_now())

    spoil(ready, park)

    assert "connector parked list" in examined(connector, code=1)["hubspot parked"]["advice"]


def test_webhooks_that_are_lost_again_and_again(connector: Connector, ready: Installation) -> None:
    """Each was found by looking; so many of a day are no accident."""

    def drift(runtime: Runtime) -> None:
        with runtime.db.write() as connection:
            one = {"connection": "hubspot", "side": "crm", "subject": "1", "what": "subject"}
            drifts.suspect(connection, [one] * 25, utc_now())
            for row in drifts.suspicions(connection, before=utc_now()):
                drifts.keep(connection, row.id)

    spoil(ready, drift)

    found = examined(connector, code=1)

    assert f"{utc_now():%Y-%m-%d}: 25" in found["hubspot drift"]["detail"]
    assert "Webhooks do not arrive" in found["hubspot drift"]["advice"]
    assert found["nextcap drift"]["state"] == "ok"


def test_a_day_of_calls_that_will_not_last() -> None:
    spent = Day(250_000, 150_000, at=3600.0, began_at=0.0, began_remaining=250_000)
    slow = Day(250_000, 249_000, at=3600.0, began_at=0.0, began_remaining=250_000)

    assert limits.day("hubspot", spent).state == "problem"
    assert "150,000 of 250,000 calls of the day remain; at this pace they are used up in 1.5 h" in str(
        limits.day("hubspot", spent).detail
    )
    assert limits.day("hubspot", slow).state == "ok"


def test_work_that_is_overdue(connector: Connector, ready: Installation) -> None:
    def mark(runtime: Runtime) -> None:
        with runtime.db.write() as connection:
            links.ensure(connection, ["t-1"], ["hubspot"])
            [link] = links.of_ticket(connection, "t-1")
            links.mark(connection, [link.id], links.Look.ALL, utc_now() - timedelta(minutes=5))

    spoil(ready, mark)

    assert examined(connector, code=1)["hubspot age"]["state"] == "problem"


def test_a_ticket_that_fails_again_and_again(connector: Connector, ready: Installation) -> None:
    number = ready.sandbox.nextcap.create_ticket(subject="It fails")["ticket_number"]
    ready.sandbox.hubspot.faults.add("status", method="POST", path="batch/upsert", status=500, times=None)
    ready.sync()

    found = examined(connector, code=1)

    assert f"#{number}" in found["work tickets"]["detail"]


def test_nobody_works(connector: Connector, ready: Installation) -> None:
    def grow_old(runtime: Runtime) -> None:
        with runtime.db.write() as connection:
            value, at = cursors.get(connection, NEXTCAP, CURSOR) or ("", utc_now())
            cursors.put(connection, NEXTCAP, CURSOR, value, at - timedelta(minutes=10))

    spoil(ready, grow_old)

    assert "connector run" in examined(connector, code=1)["work somebody works"]["advice"]


def test_an_installation_that_has_not_started_is_no_problem(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")
    connector("setup", "hubspot")
    connector("setup", "nextcap")

    found = examined(connector, code=0)

    assert found["work somebody works"]["state"] == "note"
    assert found["hubspot mapping in force"]["state"] == "note"


def test_a_note_is_not_a_problem() -> None:
    from connector.doctor import exit_code

    assert exit_code([Finding("web", "answers", "note")]) == 0
    assert exit_code([Finding("web", "answers", "problem")]) == 1
    assert exit_code([Finding("web", "answers", "problem"), Finding("configuration", "key", "problem")]) == 2
