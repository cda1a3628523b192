"""The servers behind the services: PostgreSQL, Valkey and the AWS endpoint."""
