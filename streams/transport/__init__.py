"""The batch-native driver: stock Faust agents receive whole fetches instead of single events."""
