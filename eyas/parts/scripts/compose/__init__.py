"""The program that keeps a Compose stack in a container."""
