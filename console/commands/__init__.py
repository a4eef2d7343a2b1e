"""The commands, one module each; a module here is a command, and holds it under its own name."""
