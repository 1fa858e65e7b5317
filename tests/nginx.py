"""nginx before an archive, as in most hospitals: it ends TLS, asks for certificates, and has a limit of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from authority import Authority, Signed
from peers import need, running

from gateway.trial.ports import free_port

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{ssl};
    {tls}
    client_max_body_size {largest};
    location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_request_buffering off; proxy_http_version 1.1; }}
  }}
}}
"""
TLS = """
    ssl_certificate {0.certificate};
    ssl_certificate_key {0.key};
    ssl_client_certificate {1.ca};
    ssl_verify_client on;
"""


@contextlib.contextmanager
def nginx(folder: Path, behind: int, largest: str = "0", tls: tuple[Signed, Authority] | None = None) -> Iterator[int]:
    """The port of a proxy before 127.0.0.1:``behind``; ``tls``: its certificate, and who signs its callers'."""
    program, port = need("nginx"), free_port()
    folder.mkdir()
    secure = TLS.format(*tls) if tls else ""
    values = {"folder": folder, "port": port, "behind": behind, "largest": largest}
    (folder / "conf").write_text(CONFIGURATION.format(**values, ssl=" ssl" if tls else "", tls=secure))
    with running([program, "-c", str(folder / "conf")], port, folder / "log"):
        yield port
