"""Runs the sandbox's Azure until its standard input closes: `python -m infra.sandbox.azure`."""

import json
import os
import sys

from infra.sandbox.azure.entra import Entra
from infra.sandbox.azure.server import running_azure


def main() -> None:
    """Prints one line of JSON with the addresses when all of them answer."""
    announce = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    entra = Entra()
    with running_azure(entra, [entra.add()]) as azure:
        (identity,) = entra.identities.values()
        said = {
            "url": azure.url,
            "data_url": azure.data_url,
            "ca_file": str(azure.ca_file),
            "subscription": azure.resource_manager.subscription,
            "environment": azure.environment(),
            "object_id": identity.object_id,
            "tables_url": azure.tables_url,
            "topic_url": azure.topic_url,
            "issuer": entra.issuer,
            "jwks": entra.jwks(),
        }
        print(json.dumps(said), file=announce, flush=True)
        announce.close()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
