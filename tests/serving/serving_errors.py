"""`ServingFault`: an error of the server, with the code of both its languages."""

from __future__ import annotations

HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class ServingFault(Exception):
    """A refusal, or a failure.

    Args:
        code: Name of the gRPC status.
        message: For the client.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def http(self) -> int:
        return HTTP[self.code]


def invalid(message: str) -> ServingFault:
    return ServingFault("INVALID_ARGUMENT", message)


def not_found(message: str) -> ServingFault:
    return ServingFault("NOT_FOUND", message)
