"""Evidence: what a row commits to, and proofs over it. Pure functions over bytes."""
