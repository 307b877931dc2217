"""HTTPS to one API server: certificate, token, time-outs and the one place where a request is repeated. It knows nothing of
Kubernetes objects; `shared.clusters.api` does.

The `kubernetes` package's own transport is used without its typed API, whose import costs more time and memory than everything
else in a function (docs/adr/0003), and is imported only when the first request is sent.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

from shared.clusters.refusals import cut, retry_after
from shared.model.errors import Unreachable

_REACH_HINT = (
    "The function must reach the endpoint on port 443: a private endpoint needs the function in the cluster's VPC and its "
    "security group admitted by the cluster's; a public one must admit the function's address."
)
_TLS_HINT = (
    "The certificate is not from the cluster's CA: a proxy that opens TLS stands in between (add the endpoint to no_proxy), "
    "or the cluster was created anew."
)
_PROXY_HINT = "The proxy comes from https_proxy in the function's environment; add the endpoint to no_proxy to go around it."

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client.rest import RESTClientObject

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TRIES = 3
"""How often a request is sent at most: once more after each refusal that asks for it, or connection that was cut."""
BACKOFF_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0
"""A server that asks for a longer pause is not waited for inside a function: the engine waits, which costs nothing."""
IDLE_SECONDS = 60.0
"""After this long without a request the kept connections are given up. A frozen function does not see that a load balancer
or a firewall has forgotten them (AWS forgets idle ones after 350 s), and would wait for an answer until the time-out."""
POOL_SIZE = 16
"""Connections kept for reuse; releases are read in parallel and each watch occupies one."""


class TokenSource(Protocol):
    """Where bearer tokens come from. Called from several threads."""

    def token(self) -> str:
        """A token that is still good, as far as known."""

    def renewed(self, rejected: str) -> str:
        """A newer token than `rejected`, which the server has refused."""


class Request(NamedTuple):
    """`what` says in words what is asked for, to follow "cannot". `content_type` is the body's; empty for plain JSON."""

    method: str
    path: str
    what: str
    query: Mapping[str, str] = {}
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    content_type: str = ""

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def may_be_repeated(self) -> bool:
        """What only reads, a review of rights, and the making or deleting of an object by its name: done twice is done once."""
        return self.method != "PATCH"


class Answer(NamedTuple):
    """`stream` is there, and `body` empty, when a stream was asked for and granted."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    stream: urllib3.BaseHTTPResponse | None = None


class Connection:
    """`name` is how messages call the cluster. What only reads may be repeated; a change only when it was refused untried."""

    def __init__(
        self,
        endpoint: str,
        ca_pem: str,
        tokens: TokenSource,
        *,
        name: str,
        sleep: Callable[[float], None] = time.sleep,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._endpoint = endpoint.rstrip("/")
        self._host = urlsplit(endpoint).netloc
        self._ca_pem = ca_pem
        self._tokens = tokens
        self._sleep = sleep
        # The wall clock, because a monotonic one may stand still while a function is frozen.
        self._wall_clock = wall_clock
        self._lock = Lock()
        self._client: RESTClientObject | None = None
        self._last_used = 0.0
        self.endpoint_failed = False

    def send(self, request: Request, *, stream_seconds: float | None = None) -> Answer:
        """The server's last word on the request, whatever its status.

        With `stream_seconds` the body of a success is left to the caller, who has to close it; reading it fails after so many
        seconds without a byte.

        A 429 or a failure of the server is repeated after `Retry-After` or a short back-off, a cut connection likewise, a 401
        once with a new token. A change is repeated after a 429 or a 401 only: otherwise it may have been made already, and
        with a precondition the repetition would then be refused as somebody else's.

        Raises:
            Unreachable: no connection, no answer in time, or the connection was cut each time.
        """
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        attempt = 1
        while True:
            try:
                answer = self._send_signed(request, stream_seconds)
            except (HTTPError, ApiException) as error:
                if attempt == TRIES or not was_cut(error) or not request.may_be_repeated:
                    raise self.unreachable(request.what, error) from error
                wait_seconds: float | None = _backoff_seconds(attempt)
            else:
                wait_seconds = _seconds_before_retry(request, answer, attempt)
            if wait_seconds is None or attempt == TRIES:
                return answer
            self._sleep(wait_seconds)
            attempt += 1

    def unreachable(self, what: str, error: Exception) -> Unreachable:
        """The error to raise when `error` of the transport ended the attempt to do `what`."""
        from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError, ReadTimeoutError, SSLError

        cause = _root_cause(error)
        hint = "The connection was cut; the same call may succeed later."
        match cause:
            case ProxyError():
                self.endpoint_failed, hint = True, _PROXY_HINT
            case SSLError():
                self.endpoint_failed, hint = True, _TLS_HINT
            case NewConnectionError() | ConnectTimeoutError():
                self.endpoint_failed, hint = True, _REACH_HINT
            case ReadTimeoutError():
                hint = (
                    "The API server is overloaded, or a firewall has dropped the connection; the same call may succeed later."
                )
        return Unreachable(f"{self.name}: cannot {what} at {self._host}: {cut(str(cause))}.", hint=hint)

    def close(self) -> None:
        """Gives up the kept connections. Streams under way go on."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _send_signed(self, request: Request, stream_seconds: float | None) -> Answer:
        token = self._tokens.token()
        answer = self._send_once(request, token, stream_seconds)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        return self._send_once(request, self._tokens.renewed(token), stream_seconds)

    def _send_once(self, request: Request, token: str, stream_seconds: float | None) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "scalar-backup"}
        if request.content_type:
            headers["Content-Type"] = request.content_type
        response = self._transport().request(  # type: ignore[no-untyped-call]
            request.method,
            self._endpoint + request.target,
            headers=headers,
            body=request.body,
            _request_timeout=(CONNECT_SECONDS, READ_SECONDS if stream_seconds is None else stream_seconds),
        )
        if stream_seconds is not None and response.status == HTTPStatus.OK:
            return Answer(response.status, response.headers, stream=response.response)
        return Answer(response.status, response.headers, body=response.read())

    def _transport(self) -> RESTClientObject:
        """The pool of connections, without those that have been idle for too long."""
        with self._lock:
            now = self._wall_clock()
            if self._client is None:
                self._client = _new_transport(self._endpoint, self._ca_pem)
            elif not 0 <= now - self._last_used <= IDLE_SECONDS:
                self._client.close()
            self._last_used = now
            return self._client


def _new_transport(endpoint: str, ca_pem: str) -> RESTClientObject:
    """Certificates are verified against the cluster's own CA, which stays in memory.

    urllib3 repeats only what never reached the server: failed connections. Everything else is `Connection.send`'s to decide.
    """
    from kubernetes.client import Configuration
    from kubernetes.client.rest import RESTClientObject
    from urllib3.util.retry import Retry

    retries = Retry(
        total=TRIES - 1,
        connect=TRIES - 1,
        read=0,
        status=0,
        redirect=0,
        other=0,
        backoff_factor=BACKOFF_SECONDS,
        raise_on_redirect=False,
        respect_retry_after_header=False,
    )
    configuration = Configuration(host=endpoint, ca_cert_data=ca_pem, retries=retries, connection_pool_maxsize=POOL_SIZE)
    # A watch that waits for an event in silence would not notice that the other end has gone.
    configuration.keep_alive = True
    rest = RESTClientObject(configuration)
    rest.pool_manager.connection_pool_kw["ssl_context"] = _tls_context()
    return rest


def _tls_context() -> ssl.SSLContext:
    """Verification without RFC 5280's strictness about key identifiers, which Python 3.13 (Lambda's runtime) has switched on:
    certificate authorities of clusters that were made years ago lack them, and would be refused.

    https://docs.python.org/3.13/library/ssl.html#ssl.create_default_context
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def was_cut(error: Exception) -> bool:
    """The connection ended before the whole answer was there; not that no answer came in time."""
    from urllib3.exceptions import ProtocolError

    return isinstance(_root_cause(error), ProtocolError)


def _root_cause(error: Exception) -> Exception:
    """What urllib3 gave up for, after the last of its attempts."""
    from urllib3.exceptions import MaxRetryError

    return error.reason if isinstance(error, MaxRetryError) and error.reason is not None else error


def _seconds_before_retry(request: Request, answer: Answer, attempt: int) -> float | None:
    """None: asking again does not help, or not soon."""
    has_failed = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and request.may_be_repeated
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS and not has_failed:
        return None
    asked_seconds = retry_after(answer.headers)
    if asked_seconds is None:
        return _backoff_seconds(attempt)
    return asked_seconds if asked_seconds <= LONGEST_WAIT_SECONDS else None


def _backoff_seconds(attempt: int) -> float:
    return BACKOFF_SECONDS * 2.0 ** (attempt - 1)
