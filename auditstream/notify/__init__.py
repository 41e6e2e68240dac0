"""What is worth telling somebody: budgets, and the signals that gateways act on."""
