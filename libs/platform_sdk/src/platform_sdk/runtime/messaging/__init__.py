"""Events between services: written with the transaction that they belong to, sent, received and handled once."""
