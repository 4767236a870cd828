"""Real servers of channels, each started for itself on 127.0.0.1, on a port that nobody else has.

``.ci/servers.sh DIR`` gets them; ``LANDED_TEST_SERVERS=DIR`` lets the tests use them. The SMTP server needs neither.
"""
