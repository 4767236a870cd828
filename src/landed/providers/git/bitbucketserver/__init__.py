"""Bitbucket Server and Data Center."""
