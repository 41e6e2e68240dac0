"""Stand-ins for the services around the product: broker, store and registry on one machine."""
