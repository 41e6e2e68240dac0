"""The stores of rows: ClickHouse, a memory one for models and tests, and the migrations of the tables."""
