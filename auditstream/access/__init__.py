"""Who may ask what: principals, roles, tokens, sessions, and the desk through which the record is asked."""
