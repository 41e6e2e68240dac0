"""One module a screen; `auditstream.console.application` tells how a screen is added."""
