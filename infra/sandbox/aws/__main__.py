"""Runs the sandbox's AWS until its standard input closes: `python -m infra.sandbox.aws --help`."""

import argparse
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Prints one line of JSON, {"url": ...}, when the server answers."""
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free port")
    parser.add_argument("--region", default="ap-northeast-1")
    parser.add_argument("--code-dir", type=Path, default=Path.cwd(), help="directory that the handlers are imported from")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="file for what the server and moto have to say")
    options = parser.parse_args()
    announce = os.fdopen(os.dup(1), "w")
    log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    _isolate(options.region)

    from infra.sandbox.aws.server import Server  # after the environment is set: moto and boto3 read it on import

    server = Server(options.port, options.region, options.code_dir.resolve())
    server.start()
    print(json.dumps({"url": server.url}), file=announce, flush=True)
    announce.close()
    sys.stdin.buffer.read()
    server.close()


def _isolate(region: str) -> None:
    """Nothing of the machine's AWS configuration, proxies or time zone reaches the server."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.update(
        TZ="UTC",
        NO_PROXY="*",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_ACCESS_KEY_ID="sandbox",
        AWS_SECRET_ACCESS_KEY="sandbox",
        AWS_DEFAULT_REGION=region,
    )
    time.tzset()


if __name__ == "__main__":
    main()
