"""What every service gets, so that a service contains only its business.

request to effect:  HTTP ─▶ app ─▶ use case ─▶ unit of work ─▶ { model rows, outbox row }   commit, then answer
                    outbox row ─▶ relay ─▶ queue ─▶ consumer ─▶ { inbox row } + use case    commit, then delete it
"""
