"""Answers every request with a greeting."""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam

GREETING = b"Hello, World!\n"


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        # A length saves the answer from being sent in chunks.
        length = str(len(GREETING)).encode()
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain"), ("content-length", length)]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        # The host wants the stream dropped before the body that it belongs to.
        with body.write() as stream:
            stream.blocking_write_and_flush(GREETING)
        OutgoingBody.finish(body, None)
