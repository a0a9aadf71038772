"""An upstream in the lab's internet: files over HTTP, git the dumb way, and whatever answer the test wants.

usage: upstream.py ADDRESS PORT DIRECTORY   (DIRECTORY/answer has the status to give instead, if it is there)
"""

import functools
import http.server
import pathlib
import sys


class Answer(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        place = pathlib.Path(self.directory)
        with (place / "asked").open("a") as log:
            log.write(f"{self.path}\n")
        answer = place / "answer"
        if answer.exists():
            self.send_response(int(answer.read_text()))
            self.send_header("Retry-After", "3")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *words: object) -> None:
        pass


address, port, directory = sys.argv[1:]
handler = functools.partial(Answer, directory=directory)
http.server.ThreadingHTTPServer((address, int(port)), handler).serve_forever()
