"""The console process: the status page and the local API of one box. It holds nothing; kill it at any time."""

from __future__ import annotations

import argparse
import logging

from gateway import configuration
from gateway.service import Service, inherited_socket
from gateway.web.routes import routes
from gateway.web.server import Server

log = logging.getLogger(__name__)


def arguments(_parser: argparse.ArgumentParser) -> None:
    """``gateway console`` takes no options of its own."""


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = configuration.load(args.config, adapters=False)
    process = Service("console")
    try:
        if settings.console.port == 0:
            log.info("console: turned off ([console] port = 0)")
            process.ready("turned off in the configuration")
            return 0
        wanted = settings.console
        server = Server(wanted.host, wanted.port, routes(settings), inherited=inherited_socket())
        heart = process.heart("http", patience=30.0)
        server.on_turn = heart.beat
        server.start()
        try:
            if server.port != wanted.port:
                log.warning(
                    "console: systemd listens on port %d, the configuration says %d: give gateway config apply",
                    *(server.port, wanted.port),
                )
            log.info("console: the page is at http://%s:%d/", wanted.host, server.port)
            process.ready(f"page at http://{wanted.host}:{server.port}/")
            process.run()
        finally:
            server.close()
    finally:
        process.close()
    return 0
