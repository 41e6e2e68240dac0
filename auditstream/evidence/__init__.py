"""Evidence from the auditor's side: checking it, proving one event with it, taking it along."""
