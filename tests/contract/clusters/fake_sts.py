"""STS as an EKS cluster asks it: who signed this URL? Verifies the signature over the header that the cluster sends.

Source: AWS General Reference, "Signature Version 4", query-string variant.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET_KEY = "key"


@contextmanager
def fake_sts(arns: Mapping[str, str]) -> Iterator[str]:
    """`arns` tells whose each session token is. Yields the URL."""

    class Sts(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = urlsplit(self.path).query
            arn = arns.get(parse_qs(query)["X-Amz-Security-Token"][0])
            genuine = arn is not None and _is_genuine(query, self.headers["Host"], self.headers["x-k8s-aws-id"])
            self.send_response(200 if genuine else 403)
            self.end_headers()
            self.wfile.write(f"<R><GetCallerIdentityResult><Arn>{arn}</Arn></GetCallerIdentityResult></R>".encode())

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sts)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _is_genuine(query: str, host: str, cluster: str) -> bool:
    parts = sorted(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    given = {name: values[0] for name, values in parse_qs(query).items()}
    _, day, region, service, ending = given["X-Amz-Credential"].split("/")
    headers = f"host:{host}\nx-k8s-aws-id:{cluster}\n"
    canonical = "\n".join(["GET", "/", "&".join(parts), headers, "host;x-k8s-aws-id", hashlib.sha256().hexdigest()])
    scope = "/".join([day, region, service, ending])
    text = "\n".join(["AWS4-HMAC-SHA256", given["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + SECRET_KEY.encode()
    for part in (day, region, service, ending, text):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), given["X-Amz-Signature"])
