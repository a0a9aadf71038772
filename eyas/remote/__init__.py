"""Reaching a host: the agent that runs there, the ways to it, and the frames that both ends speak."""
