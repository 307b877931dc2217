"""Measures how far a database's clock can be from ours: GET requests without credentials around a tick of its `Date` header.

One sample only says that the clocks agree to about a second. Two samples on both sides of a tick say when the server's second
changed, so the probe asks until it has seen a tick: at most a little over one second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from shared.databases.clock import Clock
from shared.model.clock import ClockBounds, DateSample, bound_clock, unmeasured

GAP_SECONDS = 0.05
"""Between the starts of two requests, so about twenty fall into one second. The bounds become about one gap plus one round trip
wide: a tenth of the margin that a plan keeps by default."""
LONGEST_SECONDS = 1.2
"""A second always holds a tick; the rest is for the last round trip."""
MOST_SAMPLES = 40
TIMEOUT_SECONDS = 2.0


class ProbeFailed(Exception):
    """A request gave no usable `Date`; the text is the reason. Never leaves this module."""


class Connection(Protocol):
    """One keep-alive connection to the server, so that all samples come from one machine's clock."""

    def date(self) -> str:
        """The `Date` header of one answer to `GET /`. Raises ProbeFailed."""

    def close(self) -> None: ...


async def measure(
    endpoint_url: str,
    clock: Clock,
    *,
    ca_bundle: str | None = None,
    connect: Callable[[str, str | None], Connection] | None = None,
) -> ClockBounds:
    """Bounds of the server's clock against `clock`. Never raises for the server's sake: what went wrong is in `problem`.

    A failure after some samples still leaves the bounds of those samples.
    """
    open_connection = connect or KeepAliveConnection
    samples: list[DateSample] = []
    try:
        connection = open_connection(endpoint_url, ca_bundle)
    except ProbeFailed as failure:
        return unmeasured(clock.now(), str(failure))
    try:
        await _sample_around_a_tick(connection, clock, samples)
    except ProbeFailed as failure:
        if not samples:
            return unmeasured(clock.now(), f"{endpoint_url}: {failure}")
    finally:
        connection.close()
    return bound_clock(samples)


async def _sample_around_a_tick(connection: Connection, clock: Clock, samples: list[DateSample]) -> None:
    began = clock.monotonic()
    while len(samples) < MOST_SAMPLES and clock.monotonic() - began < LONGEST_SECONDS:
        asked = clock.monotonic()
        samples.append(await asyncio.to_thread(_ask, connection, clock))
        if len(samples) > 1 and samples[-1].date != samples[-2].date:
            return
        await clock.sleep(max(0.0, GAP_SECONDS - (clock.monotonic() - asked)))


def _ask(connection: Connection, clock: Clock) -> DateSample:
    """The times are taken in the request's own thread: waiting for the event loop must not widen the bounds."""
    sent = clock.now()
    text = connection.date()
    return DateSample(sent=sent, received=clock.now(), date=_parse_date(text))


def _parse_date(text: str) -> datetime:
    """RFC 9110 section 5.6.7: always GMT."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise ProbeFailed(f"the Date header {text!r} is not a date") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class KeepAliveConnection:
    """A pool of exactly one connection: no retries, no redirects, and no proxy, whose own `Date` would be measured instead."""

    def __init__(self, endpoint_url: str, ca_bundle: str | None) -> None:
        import urllib3

        self._errors = urllib3.exceptions.HTTPError
        timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS, read=TIMEOUT_SECONDS)
        trust = {"ca_certs": ca_bundle} if ca_bundle and endpoint_url.startswith("https:") else {}
        try:
            self._pool = urllib3.connection_from_url(
                endpoint_url, maxsize=1, block=True, timeout=timeout, retries=False, **trust
            )
        except self._errors as error:
            raise ProbeFailed(f"{endpoint_url!r} is not an address: {error}") from error

    def date(self) -> str:
        try:
            response = self._pool.request("GET", "/", redirect=False)
        except self._errors as error:
            raise ProbeFailed(f"no answer to GET /: {error}") from error
        text = response.headers.get("Date")
        if not text:
            raise ProbeFailed(f"the answer (HTTP {response.status}) has no Date header")
        return str(text)

    def close(self) -> None:
        self._pool.close()
