"""A process that behaves as a service does towards its supervisor, or misbehaves as it is told.

Usage: stub_service.py PORT, or: stub_service.py exit CODE WORDS...
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class ReadyHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()


if __name__ == "__main__":
    if sys.argv[1] == "exit":
        sys.stderr.write(" ".join(sys.argv[3:]) + "\n")
        sys.exit(int(sys.argv[2]))
    HTTPServer(("127.0.0.1", int(sys.argv[1])), ReadyHandler).serve_forever()
