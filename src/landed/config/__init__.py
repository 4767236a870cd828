"""From options and the environment to settings."""
