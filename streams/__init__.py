"""The Faust application: batch-native transport, segment planner, agents, dead letters."""
