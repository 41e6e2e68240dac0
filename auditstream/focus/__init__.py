"""FOCUS, the FinOps Open Cost and Usage Specification: files read, and files made of our costs."""
