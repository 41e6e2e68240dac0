"""Whose an event is: topic, stamp, credential, agent, project or source, at the time of the event."""
