"""What start-up creates so that tasks find it: secrets, database roles and schemas, queues. All can be done again."""
