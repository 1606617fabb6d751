"""Runs the service: a socket, uvicorn, TLS, and a stop that answers what was accepted."""

from __future__ import annotations

import logging
import socket
import ssl
from pathlib import Path
from typing import Any

from openmie.errors import OpenMIEError
from openmie.serve import logs

GRACE = 10  # seconds beyond a post's timeout, for answers to be sent
BACKLOG = 512  # connections that wait for the server
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound, and does not listen yet.

    Args:
        host: name or address of this machine.
        port: 0: any that is free.

    Raises:
        OpenMIEError: no such address, or a port that is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        raise OpenMIEError(
            f"cannot listen there: {getattr(error, 'strerror', None) or error}",
            expected="an address of this machine and a free port",
            where=f"{host}:{port}",
            remedy="choose another one: --port 0 takes any that is free",
        ) from None
    return found


def address_of(opened: socket.socket, tls: bool) -> str:
    """The service's URL."""
    host, port = opened.getsockname()[:2]
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def check_tls(certificate: Path | None, key: Path | None) -> dict[str, Any]:
    """Options of uvicorn for TLS; none where no certificate is named.

    Raises:
        OpenMIEError: a key without a certificate, or files that are none.
    """
    if certificate is None:
        if key is not None:
            raise OpenMIEError(
                "--tls-key without --tls-certificate", expected="both", remedy="name the certificate's file too"
            )
        return {}
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise OpenMIEError(
            f"no certificate with its key: {str(error)[:120]}",
            expected="files in PEM",
            where=str(certificate),
            remedy="name them with --tls-certificate and --tls-key",
        ) from None
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key) if key else None}


def run(application: Any, opened: socket.socket, timeout: float, tls: dict[str, Any]) -> None:
    """Serve until SIGTERM or SIGINT. Then no connection is accepted any more, and what was accepted is answered.

    Args:
        application: of `openmie.serve.create_application`.
        opened: a bound socket.
        timeout: seconds that a post may take.
        tls: of `check_tls`.
    """
    import uvicorn

    logs.to_stderr()
    for name in ("uvicorn.error", "asyncio"):  # their lines are events too, without what a client wrote
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = list(logs.LOGGER.handlers), False
        logger.setLevel(logging.WARNING)
    config = uvicorn.Config(
        application,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(timeout) + GRACE,
        h11_max_incomplete_event_size=1 << 14,
        backlog=BACKLOG,
        **tls,
    )
    uvicorn.Server(config).run(sockets=[opened])
