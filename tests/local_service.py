"""Web services on this machine, for the length of a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a service whose requests go to the handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering_json(answer: Callable[[BaseHTTPRequestHandler], Any]) -> Iterator[str]:
    """The address of a service that says what `answer` makes of a request, as JSON."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = json.dumps(answer(self)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None: ...

    with serving(Service) as address:
        yield address
