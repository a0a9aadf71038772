"""Shell scripts that parts put into containers."""
