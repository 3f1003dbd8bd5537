"""The probe writes down every request as it ended, and each one is a connection of its own."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from pytest_swarmlab.clients.probe import HIGHEST_RATE, LATE_S, AskedAtLeast, Traffic, session
from pytest_swarmlab.errors import ClientError, ConfigError
from pytest_swarmlab.evidence.events import Request, each
from pytest_swarmlab.model import Membership, NodeSpec, Topology
from pytest_swarmlab.waiting.waiter import Done, Pending
from tests.unit.fakes import Lab

RATE = 100.0
PATIENCE_S = 20.0


class Web(ThreadingHTTPServer):
    """A server on loopback that notes who asked what; `status` is what it answers."""

    daemon_threads = True
    request_queue_size = 128  # A probe goes on asking, however busy this machine is.

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = 200
        self.keeps = False
        self.asked: list[tuple[int, str, str]] = []
        self.enough = threading.Semaphore(0)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that has turned away."""


class Answer(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.client_address[1], self.headers["Host"], self.path))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "https://example.invalid/")
        self.send_header("Set-Cookie", "replica=1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        if self.server.keeps:
            self.close_connection = False
        self.server.enough.release()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def web(lab: Lab) -> Iterator[Web]:
    """What every node's published port leads to."""
    with Web() as server, lab.published(server):
        yield server


def ask(lab: Lab, times: int, *names: str, **options: object) -> Traffic:
    """A probe that went on until so many requests were over."""
    over = threading.Event()

    def count(_: object) -> None:
        if len(lab.recorder.view().of("request")) >= times:
            over.set()

    lab.recorder.listen(count)
    via = [lab[name] for name in names or ("worker1",)]
    with Traffic(via, lab.recorder, rate=RATE, **options) as traffic:  # type: ignore[arg-type]
        assert over.wait(PATIENCE_S), "the probe does not go on"
    return traffic


def ask_in_turn(lab: Lab, times: int, **options: object) -> Traffic:
    """A probe that asked so many times, each time when it had its answer.

    At a steady rate a busy machine falls behind, and then requests are late or time out.
    """
    traffic = Traffic([lab["worker1"]], lab.recorder, **options)  # type: ignore[arg-type]
    for _ in range(times):
        traffic._ask(lab["worker1"], time.monotonic())
    return traffic


def test_every_request_is_recorded_as_it_ended(lab: Lab, web: Web) -> None:
    traffic = ask_in_turn(lab, 10, path="/health")
    recorded = lab.recorder.view().of("request")
    assert len(recorded) == traffic.asked == len(web.asked) == 10
    assert {(e.data["node"], e.data["status"], e.data["error"]) for e in recorded} == {
        ("worker1", 200, None)
    }
    assert {path for _, _, path in web.asked} == {"/health"}
    assert traffic.errors == []


def test_the_nodes_are_asked_in_turn(lab: Lab, web: Web) -> None:
    ask(lab, 12, "manager1", "worker1", "worker2")
    asked = [e.data for e in lab.recorder.view().of("request")]
    counts = [sum(r["node"] == n for r in asked) for n in ("manager1", "worker1", "worker2")]
    assert max(counts) - min(counts) <= 1
    assert {host for _, host, _ in web.asked} == {"manager1:8080", "worker1:8080", "worker2:8080"}


def test_a_site_is_asked_by_the_name_that_its_visitors_know(lab: Lab, web: Web) -> None:
    ask(lab, 5, "manager1", "worker1", host="192.168.56.10:8080")
    assert {host for _, host, _ in web.asked} == {"192.168.56.10:8080"}


@pytest.mark.parametrize("keeps", [False, True])
def test_every_request_is_a_connection_of_its_own(lab: Lab, web: Web, keeps: bool) -> None:
    web.keeps = keeps  # A server may leave open what it was asked to close.
    ask(lab, 20)
    assert len({port for port, _, _ in web.asked}) == len(web.asked)


@pytest.mark.parametrize("status", [500, 503, 404])
def test_an_answer_that_is_an_error_counts_as_one(lab: Lab, web: Web, status: int) -> None:
    web.status = status
    traffic = ask(lab, 5)
    assert {(e["status"], e["error"]) for e in traffic.errors} == {(status, None)}
    assert len(traffic.errors) == traffic.asked


def test_a_redirect_is_an_answer_and_is_not_followed_out_of_the_lab(lab: Lab, web: Web) -> None:
    web.status = 302
    traffic = ask_in_turn(lab, 5)
    assert traffic.errors == []
    assert {e.data["status"] for e in lab.recorder.view().of("request")} == {302}


def test_a_refused_connection_is_an_error_called_refused(lab: Lab) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        lab.machines.listens["worker1"] = closed.getsockname()
        traffic = ask(lab, 5)
    assert {(e["status"], e["error"]) for e in traffic.errors} == {(None, "refused")}
    assert traffic.asked == len(traffic.errors) == len(lab.recorder.view().of("request"))


def test_a_server_that_never_answers_is_an_error_called_timeout(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as mute:
        lab.machines.listens["worker1"] = mute.getsockname()
        traffic = ask(lab, 2, timeout=0.05)
    assert {e["error"] for e in traffic.errors} == {"timeout"}


def test_a_server_that_sends_a_byte_now_and_then_is_given_up_like_one_that_sends_nothing(
    lab: Lab,
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    for at_once, slowly in ((b"", head), (head, b"x" * 1000)):
        traffic = dripped(lab, at_once, slowly)
        assert {e["error"] for e in traffic.errors} == {"timeout"}
        assert len(traffic.errors) == traffic.asked


def dripped(lab: Lab, at_once: bytes, slowly: bytes) -> Traffic:
    """A probe of a server that sends these bytes at once and those one by one."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(at_once)
            for byte in slowly:
                connection.sendall(bytes([byte]))
                if over.wait(0.02):
                    return

    def serve() -> None:
        while not over.is_set():
            connection, _ = server.accept()
            threading.Thread(target=drip, args=(connection,)).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        lab.machines.listens["worker1"] = server.getsockname()
        thread = threading.Thread(target=serve)
        thread.start()
        traffic = ask(lab, len(lab.recorder.view().of("request")) + 2, timeout=0.2)
        over.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()
    return traffic


def test_a_dial_that_times_out_is_an_error_called_timeout(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object) -> socket.socket:
        raise TimeoutError("worker1:8080: timed out")

    monkeypatch.setattr(lab.machines, "dial", late)
    assert {e["error"] for e in ask(lab, 3).errors} == {"timeout"}


def test_a_connection_that_is_cut_is_an_error_that_is_recorded(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        lab.machines.listens["worker1"] = server.getsockname()
        stop = threading.Event()

        def cut() -> None:
            while not stop.is_set():
                connection, _ = server.accept()
                connection.close()

        thread = threading.Thread(target=cut)
        thread.start()
        traffic = ask(lab, 3)
        stop.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()
    assert len(traffic.errors) == traffic.asked >= 3
    assert all(e["error"] and "\n" not in e["error"] for e in traffic.errors)


def test_one_node_s_failure_does_not_hide_in_another_s_answers(lab: Lab, web: Web) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        lab.machines.listens["worker2"] = closed.getsockname()
        traffic = ask(lab, 10, "worker1", "worker2")
    assert {e["node"] for e in traffic.errors} == {"worker2"}
    assert web.asked


@pytest.mark.parametrize("rate", [0, -1, HIGHEST_RATE + 1, float("nan")])
def test_a_rate_that_would_harm_or_never_ask_is_refused(lab: Lab, rate: float) -> None:
    with pytest.raises(ConfigError, match="requests a second: up to 200"):
        Traffic([lab["worker1"]], lab.recorder, rate=rate)


def test_a_probe_through_no_node_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="a probe needs nodes: give it some with via="):
        Traffic([], lab.recorder)


def test_how_far_a_probe_has_got_can_be_waited_for(lab: Lab, web: Web) -> None:
    traffic = ask(lab, 5)
    assert web.asked
    outcome = AskedAtLeast(traffic, 5)()
    assert isinstance(outcome, Done)
    assert outcome.value == traffic.asked == traffic.sent
    assert isinstance(traffic.asked_at_least(10_000)(), Pending)


@pytest.fixture
def shouting(tmp_path: Path) -> Iterator[Lab]:
    """A cluster whose host names have capitals."""
    nodes = (NodeSpec("Manager1.Example", "192.168.56.10", Membership.MANAGER),)
    lab = Lab(tmp_path, Topology("theirs", nodes))
    yield lab
    lab.recorder.close()


def test_a_node_whose_name_has_capitals_is_asked_and_its_errors_count(shouting: Lab) -> None:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        server.status = 500
        shouting.machines.listens["Manager1.Example"] = ("127.0.0.1", server.server_port)
        traffic = ask(shouting, 3, "Manager1.Example")
        server.shutdown()
        thread.join()
    assert {(e["node"], e["status"]) for e in traffic.errors} == {("Manager1.Example", 500)}


def test_names_that_a_client_can_not_tell_apart_are_refused(lab: Lab) -> None:
    lab["manager2"].name = "Manager1"
    with pytest.raises(ValueError, match="differ only in case"):
        session(lab.swarm.nodes)


def test_a_probe_that_has_asked_nothing_knows_of_no_error_and_says_so(lab: Lab) -> None:
    traffic = Traffic([lab["worker1"]], lab.recorder)
    with pytest.raises(ClientError, match="the probe has asked nothing through worker1: wait"):
        _ = traffic.errors
    traffic._over.set()
    with pytest.raises(ClientError, match="the probe has asked nothing through worker1"), traffic:
        pass


def test_a_request_that_was_sent_long_after_it_was_due_is_no_good_one(lab: Lab, web: Web) -> None:
    traffic = Traffic([lab["worker1"]], lab.recorder)
    traffic._ask(lab["worker1"], time.monotonic() - 2 * LATE_S)
    traffic._ask(lab["worker1"], time.monotonic())
    assert web.asked
    (late,) = traffic.errors
    assert late["status"] == 200
    assert late["late"] >= 2 * LATE_S
    assert [e.data.get("late") for e in lab.recorder.view().of("request")] == [late["late"], None]


def test_no_proxy_of_this_machine_comes_between(
    lab: Lab, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with session(lab.swarm.nodes) as client:
        assert client.get("http://manager1:8080/", timeout=5).text == "ok"
    assert web.asked


@pytest.mark.usefixtures("web")
def test_a_header_of_the_answer_is_noted_where_it_was_asked_for(lab: Lab) -> None:
    ask(lab, 3, header="Set-Cookie")
    assert {e.data["header"] for e in lab.recorder.view().of("request")} == {"replica=1"}


@pytest.mark.usefixtures("web")
def test_a_header_that_is_not_there_is_none(lab: Lab) -> None:
    ask(lab, 3, header="X-Config")
    assert {request.header for request in each(lab.recorder.view(), Request)} == {None}


def certified(web: Web, by: trustme.CA, *names: str) -> str:
    """Have the server speak TLS from now on; the SHA-256 of the certificate that it shows.

    Handshakes are made in each connection's own thread: one client that takes its time would keep
    all others waiting.
    """
    certificate = by.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    web.socket = context.wrap_socket(web.socket, server_side=True, do_handshake_on_connect=False)
    shown = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    return hashlib.sha256(shown).hexdigest()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """An authority, and the file with its certificate."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made, tmp_path / "ca.pem"


def test_over_tls_each_request_records_the_certificate_that_it_was_shown(
    lab: Lab, web: Web, authority: tuple[trustme.CA, Path]
) -> None:
    by, ca = authority
    shown = certified(web, by, "worker1")
    # Another client, which is slow to begin: as any of ours is while this machine is busy.
    with socket.create_connection(("127.0.0.1", web.server_port)):
        traffic = ask_in_turn(lab, 6, ca=ca)
    assert traffic.errors == []
    recorded = lab.recorder.view().of("request")
    assert {event.data["certificate"] for event in recorded} == {shown}
    assert {event.data["url"] for event in recorded} == {"https://worker1:8080/"}
    assert len({port for port, _, _ in web.asked}) == len(web.asked)


@pytest.mark.parametrize("mine", [True, False], ids=["another-name", "another-authority"])
def test_a_certificate_that_nobody_vouches_for_is_an_error(
    lab: Lab, web: Web, authority: tuple[trustme.CA, Path], mine: bool
) -> None:
    by, ca = authority
    certified(web, by if mine else trustme.CA(), "worker2" if mine else "worker1")
    traffic = ask(lab, 3, ca=ca)
    assert len(traffic.errors) == traffic.asked
    assert {e["status"] for e in traffic.errors} == {None}
    assert all(str(e["error"]).startswith("SSLCertVerificationError") for e in traffic.errors)
    assert {request.certificate for request in each(lab.recorder.view(), Request)} == {None}
