"""auditstream: the record of every AI action, what it cost and who owes it."""
