"""How a service of the control plane says no: what becomes a ClientError at the caller's."""

from collections.abc import Mapping


class Refused(Exception):
    """An error answer of AWS.

    Args:
        code: as the service's API names it: `InvalidParameterException`.
        message: AWS's sentence.
        status: of the HTTP answer.
        detail: members of the modelled error beside its message.
    """

    def __init__(
        self, code: str, message: str, *, status: int = 400, detail: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.detail = dict(detail or {})


class NotPlayed(Exception):
    """An operation that the control plane does not know how to answer. It is no error of AWS, so nothing catches it."""
