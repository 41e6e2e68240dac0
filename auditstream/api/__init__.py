"""The query API: the record over HTTP, for programs; every question goes through the desk of `access`."""
