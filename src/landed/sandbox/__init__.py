"""An embedded cluster, Git host and chat inbox on 127.0.0.1, for ``landed demo`` and for the tests.

Nothing here judges a commit: it serves what a cluster, a Git host and a chat service would serve, and remembers what
they were told. Imported by the command ``demo`` and by tests only.
"""
