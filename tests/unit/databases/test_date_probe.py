"""Measuring another machine's clock by its `Date` headers."""

import asyncio
import contextlib
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.databases.date_probe import GAP_SECONDS, LONGEST_SECONDS, ProbeFailed, measure
from tests.unit.databases.fake_clock import START, FakeClock


def http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


class SimulatedServer:
    """Its clock is `offset` ahead of ours; each way of a request takes as long as `ways` says next."""

    def __init__(self, clock, offset, ways, fail_after=None):
        self.clock, self.offset, self.ways, self.fail_after = clock, offset, ways, fail_after
        self.asked, self.is_closed = 0, False

    def date(self):
        if self.fail_after is not None and self.asked >= self.fail_after:
            raise ProbeFailed("connection lost")
        there, back = self.ways[self.asked % len(self.ways)]
        self.asked += 1
        self.clock.advance(there)
        text = http_date(self.clock.now() + timedelta(seconds=self.offset))
        self.clock.advance(back)
        return text

    def close(self):
        self.is_closed = True


def probe(offset, ways, began=0.0, fail_after=None):
    clock = FakeClock(START + timedelta(seconds=began))
    server = SimulatedServer(clock, offset, ways, fail_after)
    bounds = asyncio.run(measure("http://db", clock, connect=lambda url, ca: server))
    return bounds, server, clock


ways = st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), min_size=1, max_size=30)


@given(offset=st.floats(-100, 100), ways=ways, began=st.floats(0, 1))
def test_the_true_offset_is_always_inside_the_bounds(offset, ways, began):
    bounds, server, clock = probe(offset, ways, began)
    assert bounds.is_measured
    assert bounds.lower_seconds - 1e-5 <= offset <= bounds.upper_seconds + 1e-5
    assert clock.monotonic() <= LONGEST_SECONDS + 0.8 + GAP_SECONDS
    assert server.is_closed


@given(offset=st.floats(-100, 100), latency=st.floats(0, 0.2), began=st.floats(0, 1))
def test_the_bounds_are_about_one_round_trip_and_one_gap_wide(offset, latency, began):
    bounds, _, _ = probe(offset, [(latency / 2, latency / 2)], began)
    assert bounds.width_seconds <= latency + max(latency, GAP_SECONDS) + 1e-3


def test_it_stops_when_it_has_seen_the_tick():
    _, server, clock = probe(offset=0.85, ways=[(0.001, 0.001)])
    assert server.asked <= 5
    assert clock.monotonic() < 0.3


def test_a_connection_that_breaks_later_leaves_the_bounds_of_what_was_answered():
    bounds, _, _ = probe(offset=0.0, ways=[(0.01, 0.01)], fail_after=1)
    assert bounds.is_measured
    assert bounds.samples == 1


def test_no_answer_at_all_is_unmeasured_with_the_reason():
    bounds, server, _ = probe(offset=0.0, ways=[(0.01, 0.01)], fail_after=0)
    assert bounds.problem == "http://db: connection lost"
    assert server.is_closed


class RealClock:
    def now(self):
        return datetime.now(UTC)

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


@contextlib.contextmanager
def answering(answer):
    """A server on loopback that sends `answer()` for each request and keeps connections open; yields URL and connections."""
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    accepted.append(connection)
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection):
            with contextlib.suppress(OSError), connection:
                while connection.recv(65536):
                    connection.sendall(answer())

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", accepted
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in accepted:
                connection.close()


def reply(*headers):
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Length: 2", *headers, "", "ok"]).encode()


async def test_a_real_servers_skew_is_found_over_one_connection():
    skew = timedelta(seconds=-7.25)
    with answering(lambda: reply("Date: " + http_date(datetime.now(UTC) + skew))) as (url, connections):
        bounds = await measure(url, RealClock())
        assert len(connections) == 1
    assert bounds.lower_seconds <= -7.25 <= bounds.upper_seconds
    assert bounds.width_seconds < 0.5
    assert bounds.samples > 1


async def test_an_answer_without_a_date_is_unmeasured_and_says_so():
    with answering(reply) as (url, _):
        bounds = await measure(url, RealClock())
    assert "HTTP 200) has no Date header" in bounds.problem


async def test_a_date_that_is_none_is_unmeasured_and_shows_it():
    with answering(lambda: reply("Date: soon")) as (url, _):
        bounds = await measure(url, RealClock())
    assert "'soon' is not a date" in bounds.problem


async def test_a_refused_connection_is_unmeasured_and_says_so():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    bounds = await measure(f"http://127.0.0.1:{port}", RealClock())
    assert "refused" in bounds.problem


async def test_a_silent_server_is_unmeasured_after_the_time_out(monkeypatch):
    monkeypatch.setattr("shared.databases.date_probe.TIMEOUT_SECONDS", 0.05)
    with answering(lambda: b"") as (url, _):
        bounds = await measure(url, RealClock())
    assert "timed out" in bounds.problem


@pytest.mark.parametrize("address", ["ftp://db.example", "http://[::1", "http://db.example:port"])
async def test_an_address_that_is_none_is_unmeasured(address):
    assert (await measure(address, RealClock())).problem


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with answering(lambda: reply("Date: " + http_date(datetime.now(UTC)))) as (url, _):
        assert (await measure(url, RealClock())).is_measured
