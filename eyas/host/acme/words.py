"""What went wrong, in one line, out of what the libraries raise."""

from __future__ import annotations


class Refused(Exception):
    """Something cannot be done; the text is for people."""


def explain(error: BaseException) -> str:
    """One line for a person: what the authority said, as it said it."""
    from acme import errors, messages

    if isinstance(error, errors.ValidationError):
        return "; ".join(
            f"{authorization.body.identifier.value}: {problem(challenge.error)}"
            for authorization in error.failed_authzrs
            for challenge in authorization.body.challenges
            if challenge.error is not None
        )
    if isinstance(error, errors.IssuanceError):
        return problem(error.error)
    if isinstance(error, messages.Error):
        return problem(error)
    if isinstance(error, errors.TimeoutError):
        return "the authority did not come to an end in time"
    text = " ".join(str(error).split())
    return text if isinstance(error, Refused) else f"{type(error).__name__}: {text}"[:600]


def problem(error: object) -> str:
    """A problem document (RFC 7807) in words."""
    code = str(getattr(error, "code", "") or "")
    detail = " ".join(str(getattr(error, "detail", "") or error).split())
    more = [problem(sub) for sub in getattr(error, "subproblems", None) or ()]
    return "; ".join([f"{detail} ({code})" if code else detail, *more])
