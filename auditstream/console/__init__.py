"""The console: what people see of the record, as pages that a server renders."""
