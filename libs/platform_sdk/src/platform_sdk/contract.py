"""The contract between an image and the platform: port, health paths, names of variables and queues, timeouts.

The deploy half writes these names into task definitions; the runtime reads them. Change a name or a path here only.
"""

from typing import Final

CONTAINER_PORT: Final = 3000
"""The port on which the app container listens, unless platform.toml says otherwise."""

LIVENESS_PATH: Final = "/livez"
READINESS_PATH: Final = "/readyz"
"""Health paths, below the service's own path: `/orders/livez`, `/orders/readyz`."""

STOP_TIMEOUT_SECONDS: Final = 60
"""Seconds between SIGTERM and SIGKILL, unless platform.toml says otherwise (ECS `stopTimeout`, 2 to 120 on Fargate)."""

DRAIN_DELAY_SECONDS: Final = 5
"""Seconds for which a stopping task still accepts requests, so that the load balancer deregisters it first."""

LOG_LEVELS: Final = ("debug", "info", "warning", "error")


RECEIVE_WAIT_SECONDS: Final = 20
"""How long a worker's receive waits for a message, and so at most for the stop of an idle worker (SQS allows 20)."""


class Variable:
    """Names of the environment variables that a task definition gives to the app container."""

    SERVICE_NAME: Final = "SERVICE_NAME"
    SERVICE_VERSION: Final = "SERVICE_VERSION"
    SERVICE_PATH: Final = "SERVICE_PATH"
    ENVIRONMENT: Final = "ENVIRONMENT"
    HOST: Final = "HOST"
    PORT: Final = "PORT"
    STOP_TIMEOUT_SECONDS: Final = "STOP_TIMEOUT_SECONDS"
    DRAIN_DELAY_SECONDS: Final = "DRAIN_DELAY_SECONDS"
    LOG_LEVEL: Final = "LOG_LEVEL"
    DATABASE_URL: Final = "DATABASE_URL"
    """`postgresql://<role>@<host>:<port>/<database>?sslmode=…`, without the password."""
    DATABASE_USER: Final = "DATABASE_USER"
    """The role to log in as, which acts as the URL's role; injected as a secret. Without it, the URL's role logs in."""
    DATABASE_PASSWORD: Final = "DATABASE_PASSWORD"  # noqa: S105 - a name, injected as a secret
    DATABASE_MAX_CONNECTIONS: Final = "DATABASE_MAX_CONNECTIONS"
    """Per process."""
    REDIS_URL: Final = "REDIS_URL"
    """`redis://` or `rediss://` `<host>:<port>/0`, without the password."""
    REDIS_PASSWORD: Final = "REDIS_PASSWORD"  # noqa: S105 - a name, injected as a secret
    AWS_REGION: Final = "AWS_REGION"
    AWS_ENDPOINT_URL: Final = "AWS_ENDPOINT_URL"
    """Set on the laptop only; absent on AWS, where the client derives the endpoint from the region."""
    EVENT_ROUTES: Final = "EVENT_ROUTES"
    """JSON object: event type to the list of physical queue names that receive it."""
    RECEIVE_WAIT_SECONDS: Final = "RECEIVE_WAIT_SECONDS"
    CONSUMED_QUEUES: Final = "CONSUMED_QUEUES"
    """JSON list of the physical queue names that the worker consumes."""
    TOKEN_ISSUER: Final = "TOKEN_ISSUER"  # noqa: S105 - a name
    TOKEN_AUDIENCE: Final = "TOKEN_AUDIENCE"  # noqa: S105 - a name
    JWKS_URL: Final = "JWKS_URL"
    OTLP_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
    """The collector's HTTP endpoint; without it nothing is exported and the OpenTelemetry SDK is not even imported."""


def queue_name(environment: str, queue: str) -> str:
    """Return the physical SQS name of a queue of platform.toml, for example `platform-production-inventory`."""
    return f"platform-{environment}-{queue}"


def dead_letter_queue_name(environment: str, queue: str) -> str:
    """Return the physical SQS name of the queue's dead-letter queue."""
    return f"{queue_name(environment, queue)}-dead-letter"


class DeadLetterAttribute:
    """SQS message attributes that the consumer adds to a message which it moves to a dead-letter queue (at most 10)."""

    REASON: Final = "dead-letter-reason"
    ERROR_TYPE: Final = "error-type"
    ERROR_MESSAGE: Final = "error-message"
    FAILED_AT: Final = "failed-at"
    RECEIVE_COUNT: Final = "receive-count"
    SOURCE_QUEUE: Final = "source-queue"
