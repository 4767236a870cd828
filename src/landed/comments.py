"""The one comment that is kept on a pull or merge request: what it says, and what of an earlier one stays. No I/O."""

from __future__ import annotations

from landed.model import Comment


def body(comment: Comment, existing: str = "") -> str:
    """The whole text of the comment, in Markdown; what other runs said of other clusters is taken over from ``existing``."""
    raise NotImplementedError


def is_ours(text: str) -> bool:
    """Whether ``text`` is the body of such a comment."""
    raise NotImplementedError
