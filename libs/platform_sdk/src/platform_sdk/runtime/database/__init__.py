"""PostgreSQL: the pool, the unit of work, the tables that every service has, and migrations."""
