"""``python -m suggestion_service``: the suggestion service as a process of its own."""

from __future__ import annotations

import argparse
import logging
import sys

from katib.core.errors import KatibError
from suggestion_service.security import ServerSecurity
from suggestion_service.server import Listener, run, suggestion


def main() -> int:
    """Read the command line and serve. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="suggestion_service", description="Katib's Suggestion service over gRPC")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=6789, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--insecure", action="store_true", help="allow addresses that other machines can reach")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        listener = Listener("suggestion service", arguments.host, arguments.port, (suggestion(),))
        security = ServerSecurity(insecure=arguments.insecure)
        run([listener], security, sys.stdin.fileno() if arguments.until_eof else None)
    except KatibError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
