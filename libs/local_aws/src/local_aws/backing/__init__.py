"""The real servers, embedded: PostgreSQL, Redis (Valkey), the AWS API. Each is started, watched and stopped by us."""
