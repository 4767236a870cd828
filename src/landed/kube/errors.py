"""The errors of a cluster that a reader tells apart."""

from __future__ import annotations

from landed.errors import ClusterError


class Forbidden(ClusterError):
    """403: the user lacks a permission, which the hint grants."""


class NotServed(ClusterError):
    """404: there is no such path, which for a list means that its kind or version is not there."""


class NotInstalled(ClusterError):
    """The cluster does not have the kind in any version that we know."""


class Gone(ClusterError):
    """410: the continue token of a list has expired."""


class Conflict(ClusterError):
    """409: the object has changed since it was read, or is there already."""


class Unanswered(ClusterError):
    """A write was sent and there is no telling whether it was carried out."""
